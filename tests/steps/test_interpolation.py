"""Interpolation of masked pixels: what is chosen, what is grown."""

import numpy as np
import pytest

from isrflow.errors import ConfigError, MaskPlaneError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked

SAT, BAD, SUSPECT, INTRP = (mask_bits(name) for name in ("SAT", "BAD", "SUSPECT", "INTRP"))


@pytest.fixture
def exposure() -> Exposure:
    shape = (9, 30)
    return Exposure(np.full(shape, 100, np.float32), np.zeros(shape, np.int32), np.full(shape, 7, np.float32))


def test_saturated_regions_are_grown_by_a_diamond_and_replaced(exposure) -> None:
    exposure.mask[4, 10] = SAT
    exposure.image[4, 8:13] = 5e4
    exposure.image[4, 8] = exposure.image[4, 12] = 100
    interpolate_masked(exposure, InterpolationConfig(grow_saturated_px=1))
    grown = {(4, 10), (3, 10), (5, 10), (4, 9), (4, 11)}
    assert {tuple(yx) for yx in np.argwhere(exposure.mask == SAT | INTRP)} == grown
    np.testing.assert_allclose(exposure.image, 100, rtol=1e-4)


def test_planes_not_named_are_left_alone(exposure) -> None:
    exposure.mask[2, 3], exposure.mask[2, 20] = SUSPECT, BAD
    exposure.image[2, 3] = exposure.image[2, 20] = -1
    interpolate_masked(exposure, InterpolationConfig())
    assert exposure.image[2, 3] == -1
    assert exposure.image[2, 20] == 100
    assert exposure.mask[2, 3] == SUSPECT


def test_far_from_good_pixels_image_and_variance_take_the_clipped_mean_of_the_image(exposure) -> None:
    exposure.mask[0] = BAD
    exposure.image[0] = 1e6
    interpolate_masked(exposure, InterpolationConfig())
    assert np.all(exposure.image[0] == 100)
    assert np.all(exposure.variance[0] == 100)


def test_an_unknown_plane_is_named_with_the_nearest(exposure) -> None:
    with pytest.raises(MaskPlaneError, match="no mask plane named SATURATED"):
        interpolate_masked(exposure, InterpolationConfig(planes=("SATURATED",)))


def test_a_gaussian_process_replaces_the_image_alone(exposure) -> None:
    pytest.importorskip("sklearn", reason="the extra gp is not installed")
    exposure.mask[4, 10] = SAT
    exposure.image[3:6, 9:12] = 5e4
    exposure.image[[3, 3, 5, 5], [9, 11, 9, 11]] = 100
    exposure.variance[4, 10] = 99
    interpolate_masked(exposure, InterpolationConfig(method="gaussian_process"))
    np.testing.assert_allclose(exposure.image, 100, rtol=1e-3)
    assert exposure.variance[4, 10] == 99
    assert exposure.mask[3, 10] == exposure.mask[4, 10] == SAT | INTRP  # grown as for rows
    assert exposure.mask[0, 0] == 0


def test_a_method_whose_library_is_missing_says_what_to_install(exposure, monkeypatch) -> None:
    monkeypatch.setattr("isrflow.steps.interpolation.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs scikit-learn.*\n.*pip install 'isrflow\[gp\]'"):
        interpolate_masked(exposure, InterpolationConfig(method="gaussian_process"))
