"""Flat-fielding: scales, errors, inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.calibs.flat import Flat
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.flat import FlatConfig, divide_by_flat
from isrflow.steps.nonfinite import NonfiniteConfig, mask_nonfinite


def picture(image, variance) -> Exposure:
    image = np.array(image, np.float32).reshape(1, -1)
    return Exposure(image, np.zeros(image.shape, np.int32), np.full(image.shape, variance, np.float32))


def test_the_quotient_rule() -> None:
    exposure = picture([10], 10)
    divide_by_flat(exposure, FlatConfig(), flat=Flat(exposure=picture([2], 0.1)))
    assert exposure.image[0, 0] == 5
    assert exposure.variance[0, 0] == pytest.approx(3.125)  # (100 * 0.1 + 4 * 10) / 16
    assert exposure.header["LSST ISR FLAT APPLIED"] is True


@pytest.mark.parametrize(("scaling", "level"), [("USER", 4.0), ("MEAN", 3.0), ("MEDIAN", 2.0)])
def test_the_flat_is_divided_by_its_level(scaling, level) -> None:
    exposure = picture([12, 12, 12, 12], 0)
    flat = picture([1, 2, 6, np.nan], 0)
    flat.mask[:] = 1  # the flat's mask does not count
    divide_by_flat(exposure, FlatConfig(scaling=scaling, user_scale=4.0), flat=Flat(exposure=flat))
    np.testing.assert_allclose(exposure.image[0, :3], level * np.array([12, 6, 2]), rtol=1e-7)


def test_a_flat_of_zero_gives_inf_and_is_masked_by_a_later_search() -> None:
    exposure = picture([10, 10], 10)
    divide_by_flat(exposure, FlatConfig(), flat=Flat(exposure=picture([0, 1], 0.1)))
    assert exposure.image[0].tolist() == [np.inf, 10]
    mask_nonfinite(exposure, NonfiniteConfig())
    assert exposure.mask[0].tolist() == [mask_bits("UNMASKEDNAN"), 0]


@given(st.floats(0.01, 100), st.floats(-1e4, 1e5))
def test_inverting_restores_the_image(level, value) -> None:
    exposure, flat = picture([value], 1), Flat(exposure=picture([level], 0))
    before = exposure.image.copy()
    divide_by_flat(exposure, FlatConfig(), flat=flat)
    divide_by_flat(exposure, FlatConfig(), flat=flat, invert=True)
    np.testing.assert_allclose(exposure.image, before, rtol=2.5e-7, atol=1e-36)  # subnormals lose digits
    assert exposure.header["LSST ISR FLAT APPLIED"] is False
