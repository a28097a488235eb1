"""The variance of photons and read noise."""

from __future__ import annotations

import pytest

from isrflow.errors import GeometryError
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.variance import VarianceConfig, build_variance
from tests.steps.tinyraw import raw, trimmed

PTC = EffectivePtc({"L": 1.0, "R": 4.0}, {"L": 3.0, "R": 8.0}, {"L": 2e19, "R": 2e19})


def test_in_adu_photons_and_read_noise_are_divided_by_the_gain() -> None:
    exposure = trimmed(100)
    exposure.variance[:] = 1e6  # what was there is discarded
    build_variance(exposure, VarianceConfig())
    assert (exposure.variance == 54).all()  # 100 / 2 + (4 / 2)**2
    assert not exposure.mask.any()


def test_the_effective_numbers_go_before_the_amplifiers() -> None:
    exposure = trimmed(100)
    build_variance(exposure, VarianceConfig(), effective_ptc=PTC)
    assert (exposure.variance[:, :3] == 109).all()
    assert (exposure.variance[:, 3:] == 29).all()


def test_in_electrons_the_gain_is_one() -> None:
    exposure = trimmed(100)
    exposure.unit = "electron"
    build_variance(exposure, VarianceConfig())
    assert (exposure.variance == 116).all()


def test_pixels_without_positive_variance_are_marked_when_wanted() -> None:
    exposure = trimmed(100)
    exposure.image[0, 0], exposure.image[1, 1] = -8, -9  # variances 0 and -0.5
    build_variance(exposure, VarianceConfig())
    assert exposure.mask[[0, 1], [0, 1]].tolist() == [mask_bits("BAD")] * 2
    assert (exposure.mask != 0).sum() == 2
    assert exposure.variance[1, 1] == -0.5
    exposure.mask[:] = 0
    build_variance(exposure, VarianceConfig(mask_nonpositive=False))
    assert not exposure.mask.any()


def test_a_raw_mosaic_gets_a_variance_in_whole_segments() -> None:
    exposure = raw(100)
    build_variance(exposure, VarianceConfig())
    assert (exposure.variance == 54).all()


def test_without_detector_gain_and_noise_are_not_known() -> None:
    exposure = trimmed()
    exposure.detector = None
    with pytest.raises(GeometryError, match="gain and read noise are not known"):
        build_variance(exposure, VarianceConfig())
