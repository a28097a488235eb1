"""Saturated and suspect pixels, and amplifiers that are given up."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.defects import Defects
from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.mask import mask_bits
from isrflow.steps.saturation import SaturationConfig, correct_saturation, mask_saturation
from tests.steps.tinyraw import raw, trimmed

SAT, SUSPECT, BAD = (mask_bits(name) for name in ("SAT", "SUSPECT", "BAD"))


def test_the_level_itself_is_saturated_in_data_and_overscan() -> None:
    exposure = raw(100)
    exposure.image[2, [1, 5, 11]] = 1000, 999, 1500  # light of L, overscan of L, overscan of R
    bad = mask_saturation(exposure, SaturationConfig())
    assert np.argwhere(exposure.mask == SAT).tolist() == [[2, 1], [2, 11]]
    assert bad.names == frozenset()


def test_a_level_in_the_settings_goes_before_the_amplifiers() -> None:
    exposure = raw(100)
    exposure.image[0, 0] = 500
    mask_saturation(exposure, SaturationConfig(level_adu=500))
    assert np.count_nonzero(exposure.mask == SAT) == 1


def test_a_level_that_is_not_known_marks_nothing() -> None:
    exposure = raw(1e6, left={"saturation_adu": float("nan")})
    mask_saturation(exposure, SaturationConfig())
    assert not exposure.mask[:, :6].any()
    assert exposure.mask[:, 6:].all()


def test_suspect_pixels_are_marked_only_when_asked() -> None:
    exposure = raw(100)
    exposure.image[1, 2] = 900
    mask_saturation(exposure, SaturationConfig())
    assert not exposure.mask.any()
    mask_saturation(exposure, SaturationConfig(mask_suspect=True, mask_saturated=False))
    assert np.argwhere(exposure.mask == SUSPECT).tolist() == [[1, 2]]


def test_an_amplifier_without_unsaturated_light_is_bad() -> None:
    exposure = raw(100)
    exposure.image[:4, 1:4] = 2000
    bad = mask_saturation(exposure, SaturationConfig())
    assert bad.names == {"L"}
    assert (exposure.mask[:4, 1:4] == SAT | BAD).all()
    assert not exposure.mask[:, 4:].any()


def test_an_amplifier_inside_a_defect_is_bad_with_its_overscans() -> None:
    exposure = raw(2000)
    bad = mask_saturation(exposure, SaturationConfig(mask_saturated=False), defects=Defects(boxes=(Box(3, 0, 3, 4),)))
    assert bad.names == {"R"}
    assert (exposure.mask[:, 6:] == BAD).all()
    assert not exposure.mask[:, :6].any()


def test_defects_that_cover_it_only_together_leave_an_amplifier() -> None:
    exposure = raw(0)
    boxes = (Box(3, 0, 3, 2), Box(3, 2, 3, 2))
    assert mask_saturation(exposure, SaturationConfig(), defects=Defects(boxes=boxes)).names == frozenset()


def test_levels_are_those_of_raw_pixels() -> None:
    with pytest.raises(GeometryError, match="trimmed already"):
        mask_saturation(trimmed(), SaturationConfig())


def test_a_picture_without_amplifiers_can_be_corrected_at_one_level() -> None:
    exposure = trimmed(10)
    exposure.image[1, 3] = exposure.variance[1, 3] = 5000
    exposure.variance[exposure.variance == 0] = 1
    correct_saturation(exposure, 4000)
    assert np.argwhere(exposure.mask).tolist() == [[1, 3]]
    assert exposure.mask[1, 3] == SAT | mask_bits("INTRP")
    assert exposure.image[1, 3] == pytest.approx(10.0, rel=1e-4)  # the weights have four decimals
    correct_saturation(exposure, 10, interpolate=False)
    assert ((exposure.mask & SAT) != 0).sum() >= 23
