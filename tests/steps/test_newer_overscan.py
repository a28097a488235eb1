"""The two overscans of the newer order, on segments small enough to calculate by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.overscan_parallel import ParallelOverscanConfig, subtract_parallel_overscan
from isrflow.steps.overscan_serial import SerialOverscanConfig, subtract_serial_overscan
from tests.steps.tinyraw import raw, trimmed

WHOLE = {"skip_leading": 0, "skip_trailing": 0}
SAT, BAD = mask_bits("SAT"), mask_bits("BAD")


def test_the_serial_overscan_flattens_the_rows_of_picture_and_parallel_overscan() -> None:
    exposure = raw(100.0)
    levels = np.arange(5, dtype=np.float32)[:, np.newaxis]
    exposure.image += levels
    fits = subtract_serial_overscan(exposure, SerialOverscanConfig(**WHOLE))
    assert np.all(exposure.image[:, 1:4] == 0)
    assert np.all(exposure.image[:, 7:10] == 0)
    assert np.all(exposure.image[:, 0] == 100 + levels[:, 0])  # the prescan is left alone
    assert np.array_equal(fits.amplifiers["L"].serial.model, 100 + levels[:, 0])
    assert exposure.header["LSST ISR OVERSCAN SERIAL MEDIAN L"] == 102.0
    assert exposure.header["LSST ISR OVERSCAN SERIAL UNITS"] == "adu"


def test_columns_next_to_the_picture_are_corrected_and_not_fitted() -> None:
    exposure = raw(10.0)
    exposure.image[:, 4] = 50.0  # next to the picture of L, which is read to the right
    config = SerialOverscanConfig(fit_type="MEAN", skip_leading=1, skip_trailing=0)
    fits = subtract_serial_overscan(exposure, config)
    assert fits.amplifiers["L"].serial.mean == 10.0
    assert np.all(exposure.image[:, 4] == 40.0)


def test_bad_amplifiers_and_those_the_settings_leave_out_keep_their_level() -> None:
    exposure = raw(10.0)
    config = SerialOverscanConfig(**WHOLE, exceptions={"T/L": {"use": False}})
    assert subtract_serial_overscan(exposure, config).amplifiers.keys() == {"R"}
    exposure = raw(10.0)
    bad = BadAmplifiers(frozenset({"R"}))
    assert subtract_serial_overscan(exposure, SerialOverscanConfig(**WHOLE), bad_amplifiers=bad).amplifiers.keys() == {
        "L"
    }
    assert np.all(exposure.image[:, 6:] == 10.0)
    assert "LSST ISR OVERSCAN SERIAL MEAN R" not in exposure.header


def test_the_parallel_overscan_flattens_the_columns_of_the_picture() -> None:
    exposure = raw(0.0)
    exposure.image += np.arange(12, dtype=np.float32)
    fits = subtract_parallel_overscan(exposure, ParallelOverscanConfig(**WHOLE))
    assert np.array_equal(fits.amplifiers["L"].model, [1.0, 2.0, 3.0])
    assert np.all(exposure.image[:, 1:4] == 0)
    assert np.all(exposure.image[:, 4] == 4)  # the serial overscan is left alone
    assert exposure.header["LSST ISR OVERSCAN PARALLEL MEDIAN R"] == 8.0


def test_bright_pixels_of_the_parallel_overscan_are_saturated_and_bridged() -> None:
    exposure = raw(5.0)
    exposure.unit = "electron"
    exposure.header["LSST ISR SATURATION LEVEL L"] = 1000.0
    exposure.image[4, 2] = 750.0
    config = ParallelOverscanConfig(**WHOLE, grow_saturated_px=0, max_deviation_adu=1e6)
    fits = subtract_parallel_overscan(exposure, config)
    assert exposure.mask[4, 2] == SAT
    assert np.array_equal(fits.amplifiers["L"].model, [5.0, 5.0, 5.0])
    assert np.count_nonzero(exposure.mask) == 1


def test_levels_in_adu_are_converted_for_a_picture_in_electrons() -> None:
    exposure = raw(0.0)
    exposure.unit = "electron"
    exposure.header["LSST ISR GAIN L"] = 2.0
    exposure.image[4, 1:4] = [0.0, 39999.0, 40000.0]  # 20000 adu are 40000 electrons
    config = ParallelOverscanConfig(**WHOLE, grow_saturated_px=0, max_deviation_adu=1e6)
    subtract_parallel_overscan(exposure, config)
    assert np.array_equal(exposure.mask[4, 1:4], [0, 0, SAT])


def test_nothing_is_subtracted_from_a_bright_picture_that_flooded_its_overscan() -> None:
    exposure = raw(20000.0)
    exposure.image[4] = 11000.0
    config = ParallelOverscanConfig(**WHOLE, mask_saturated=False)
    fits = subtract_parallel_overscan(exposure, config)
    assert fits.amplifiers["L"].skipped
    assert np.all(exposure.image[:4] == 20000.0)


def raw_with_columns(n: int) -> Exposure:
    """One amplifier without serial overscan: a row of light, and a row of parallel overscan above it."""
    light = Box(0, 0, n, 1)
    amp = Amplifier(name="L", box=light, raw=Box(0, 0, n, 2), raw_data=light, raw_parallel_overscan=Box(0, 1, n, 1))
    planes = np.zeros((2, n), np.float32), np.zeros((2, n), np.int32), np.zeros((2, n), np.float32)
    return Exposure(*planes, detector=Detector(id=0, name="T", box=light, amplifiers=(amp,)))


def test_a_bright_column_is_left_out_and_widened() -> None:
    wide = raw_with_columns(20)
    wide.image[1, 10] = 5.0
    fits = subtract_parallel_overscan(wide, ParallelOverscanConfig(**WHOLE, grow_bad_columns_px=1))
    assert fits.amplifiers.keys() == {"L"}
    assert fits.amplifiers["L"].bad_lines.tolist() == [10]
    assert np.flatnonzero(wide.mask[1] & BAD).tolist() == [9, 10, 11]
    assert np.all(wide.image[0] == 0)


def test_what_cannot_be_is_refused() -> None:
    for step, config in (
        (subtract_serial_overscan, SerialOverscanConfig()),
        (subtract_parallel_overscan, ParallelOverscanConfig()),
    ):
        with pytest.raises(GeometryError, match="is trimmed already: its overscan is not known"):
            step(trimmed(), config)
        with pytest.raises(ConfigError, match=r"skipping 3 [+] 3 lines leaves nothing to fit"):
            step(raw(), config)
    with pytest.raises(ValidationError, match="an odd number is needed"):
        ParallelOverscanConfig(smoothing_columns=4)
