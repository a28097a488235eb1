from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from flows.report.numbers import Numbers, read_numbers


def test_numbers_are_read_off_the_headers_and_what_is_missing_is_absent(tmp_path: Path) -> None:
    header = fits.Header()
    header["HIERARCH LSST ISR OVERSCAN SERIAL MEDIAN C00"] = 1001.5
    header["HIERARCH LSST ISR OVERSCAN SERIAL MEDIAN C01"] = "NAN"
    header["HIERARCH LSST ISR READNOISE C00"] = 5
    fits.PrimaryHDU(np.zeros((2, 2), np.float32), header).writeto(tmp_path / "a.fits")
    numbers = read_numbers([(7, 3, tmp_path / "a.fits")], {3: ["C00", "C01"]})
    assert numbers.values["overscan"] == {(7, 3, "C00"): 1001.5}
    assert numbers.values["read_noise"] == {(7, 3, "C00"): 5.0}
    assert not numbers.has("gain")


def test_typical_values_drift_and_evenness_by_hand() -> None:
    level = {
        (1, 0, "A"): 100.0,
        (1, 0, "B"): 110.0,
        (1, 1, "A"): 90.0,
        (2, 0, "A"): 200.0,
        (2, 0, "B"): 222.0,
        (2, 1, "A"): 178.0,
    }
    numbers = Numbers({"level": level}, "adu")
    assert numbers.typical("level") == {(0, "A"): 150.0, (0, "B"): 166.0, (1, "A"): 134.0}
    assert numbers.drift("level")[2, 1, "A"] == 44.0
    # exposure 1 has the median 100, exposure 2 the median 200: B is 10 and 11 per cent above
    assert numbers.evenness("level") == pytest.approx({(0, "A"): 0.0, (0, "B"): 10.5, (1, "A"): -10.5})
