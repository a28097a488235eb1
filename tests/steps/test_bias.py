"""Bias subtraction by hand-worked numbers."""

import numpy as np
import pytest

from isrflow.calibs.bias import Bias
from isrflow.errors import CalibrationMismatch
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.bias import BiasConfig, subtract_bias

EDGE = mask_bits("EDGE")


def picture(shape, image, variance, mask=0) -> Exposure:
    return Exposure(
        np.full(shape, image, np.float32), np.full(shape, mask, np.int32), np.full(shape, variance, np.float32)
    )


def test_levels_are_subtracted_variances_added_and_masks_ored() -> None:
    exposure = picture((4, 6), 100, 5, mask=2)
    bias = Bias(exposure=picture((4, 6), 7, 0.25, mask=1))
    subtract_bias(exposure, BiasConfig(), bias=bias)
    assert np.all(exposure.image == 93)
    assert np.all(exposure.variance == 5.25)
    assert np.all(exposure.mask == 3)
    assert exposure.header["LSST ISR BIAS APPLIED"] is True
    assert np.all(bias.exposure.image == 7)


def test_a_smaller_bias_may_be_laid_over_the_middle_and_the_rest_becomes_edge() -> None:
    exposure = picture((8, 10), 100, 5)
    subtract_bias(exposure, BiasConfig(trim_to_fit=True), bias=Bias(exposure=picture((4, 6), 7, 1)))
    inside = np.zeros((8, 10), bool)
    inside[2:6, 2:8] = True
    assert np.array_equal(exposure.image == 93, inside)
    assert np.array_equal(exposure.mask == EDGE, ~inside)
    assert np.all(exposure.image[~inside] == 100)


@pytest.mark.parametrize(
    ("shape", "trim", "why"),
    [
        ((4, 6), False, "bias is 6 x 4 pixels, exposure is 10 x 8"),
        ((4, 8), True, "different margins in x and y"),
        ((7, 9), True, "margin is uneven"),
        ((10, 12), True, "bias is larger"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(shape, trim, why) -> None:
    with pytest.raises(CalibrationMismatch, match=why):
        subtract_bias(picture((8, 10), 0, 0), BiasConfig(trim_to_fit=trim), bias=Bias(exposure=picture(shape, 0, 0)))
