"""Illumination correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isrflow.calibs.illumination import Illumination
from isrflow.errors import CalibrationMismatch, MissingCalibrations
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.illumination import IlluminationConfig, correct_illumination
from tests.steps.tinyraw import trimmed

IN_R = IlluminationConfig(filters=("r",))


def exposed(physical_filter: str | None = "r") -> Exposure:
    exposure = trimmed(10.0)
    exposure.variance[:] = 10.0
    exposure.obs = replace(exposure.obs, physical_filter=physical_filter)
    return exposure


def correction(level: float = 2.0, shape: tuple[int, int] = (4, 6)) -> Illumination:
    planes = np.full(shape, level, np.float32), np.zeros(shape, np.int32), np.full(shape, 0.1, np.float32)
    return Illumination(exposure=Exposure(*planes))


def test_the_quotient_rule() -> None:
    exposure, illumination = exposed(), correction()
    illumination.exposure.mask[0, 0] = mask_bits("BAD")
    correct_illumination(exposure, IN_R, illumination=illumination)
    assert exposure.image[0, 0] == 5
    assert exposure.variance[0, 0] == pytest.approx(3.125)  # (100 * 0.1 + 4 * 10) / 16
    assert exposure.mask[0, 0] == mask_bits("BAD")
    assert exposure.header["LSST ISR ILLUMINATION APPLIED"] is True


def test_the_scale_counts_as_one() -> None:
    exposure = exposed()
    config = IlluminationConfig(filters=("r",), scale=4.0)
    correct_illumination(exposure, config, illumination=correction())
    assert exposure.image[0, 0] == 20


@pytest.mark.parametrize("physical_filter", ["g", None])
def test_exposures_through_other_filters_are_left_alone(physical_filter) -> None:
    exposure = exposed(physical_filter)
    correct_illumination(exposure, IN_R, illumination=correction())
    assert exposure.image.min() == 10
    assert "LSST ISR ILLUMINATION APPLIED" not in exposure.header


def test_only_the_listed_filters_demand_it() -> None:
    assert IN_R.demands(None, "r") == {"illumination"}
    assert IN_R.demands(None, "g") == IN_R.demands(None) == frozenset()
    with pytest.raises(MissingCalibrations, match="taken through r, whose flats need it"):
        correct_illumination(exposed(), IN_R)


def test_sizes_must_fit() -> None:
    with pytest.raises(CalibrationMismatch, match="illumination correction is 4 x 2 pixels"):
        correct_illumination(exposed(), IN_R, illumination=correction(shape=(2, 4)))
    exposure = exposed()
    config = IlluminationConfig(filters=("r",), trim_to_fit=True)
    correct_illumination(exposure, config, illumination=correction(shape=(2, 4)))
    assert exposure.image[1, 1] == 5
    assert exposure.mask[0, 0] == mask_bits("EDGE")
