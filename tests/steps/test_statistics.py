"""Statistics of the finished picture."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.mask import mask_bits
from isrflow.steps.statistics import StatisticsConfig, measure_statistics
from tests.steps.tinyraw import raw, trimmed


def test_every_amplifier_is_measured_masks_included() -> None:
    exposure = trimmed()
    exposure.image[:, :3] = np.arange(12).reshape(4, 3)
    exposure.image[:, 3:] = 5
    exposure.mask[0, :2], exposure.mask[1, 5] = mask_bits("SAT"), mask_bits(["SAT", "BAD"])
    exposure.header["LSST ISR OVERSCAN SERIAL MEDIAN L"] = 100.0
    found = measure_statistics(exposure, StatisticsConfig()).amplifiers
    left, right = found["L"], found["R"]
    assert (left.mean, left.median, left.n_saturated, left.n_bad, left.level) == (5.5, 5.5, 2, 0, -94.5)
    assert left.stdev == pytest.approx(np.arange(12).std(ddof=1), rel=1e-12)
    assert (right.stdev, right.n_saturated, right.n_bad) == (0.0, 1, 1)
    assert math.isnan(right.level)


def test_the_numbers_stand_in_the_header() -> None:
    exposure = trimmed(3)
    measure_statistics(exposure, StatisticsConfig())
    assert exposure.header["LSST ISR FINAL MEAN R"] == 3.0
    assert exposure.header["LSST ISR FINAL STDEV L"] == 0.0
    assert exposure.header["LSST ISR MASK SAT L"] == 0
    assert math.isnan(exposure.header["LSST ISR LEVEL L"])


def test_a_raw_mosaic_is_not_finished() -> None:
    with pytest.raises(GeometryError, match="is not assembled"):
        measure_statistics(raw(), StatisticsConfig())
