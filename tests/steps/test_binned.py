"""Binned copies and their sky coordinates."""

import numpy as np
import pytest
from astropy.wcs import WCS
from pydantic import ValidationError

from isrflow.frame.exposure import Exposure
from isrflow.steps.binned import BinnedConfig, bin_exposure, make_binned


@pytest.fixture
def exposure() -> Exposure:
    shape = (16, 32)
    planes = np.arange(512, dtype=np.float32).reshape(shape), np.zeros(shape, np.int32), np.ones(shape, np.float32)
    return Exposure(*planes, header={"A": 1})


def test_two_resolutions_with_headers_of_their_own(exposure) -> None:
    found = make_binned(exposure, BinnedConfig(factor1=4, factor2=16))
    assert found.bin1.image.shape == (4, 8)
    assert found.bin1.image[0, 0] == 49.5  # mean of 0..3, 32..35, 64..67, 96..99
    assert found.bin2.image.shape == (1, 2)
    found.bin1.header["A"] = 2
    assert exposure.header["A"] == found.bin2.header["A"] == 1


@pytest.mark.parametrize("xy0", [(0, 0), (40, 24)])
def test_the_sky_moves_along_with_the_pixels(exposure, xy0) -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = (10, 20), (12.25, 7.5), (-1e-4, 1e-4)
    exposure.wcs, exposure.xy0 = wcs, xy0
    binned = bin_exposure(exposure, 4)
    # The first block is pixels 0..3: its centre is at 1.5 of the old array, at 0 of the new.
    x0, y0 = xy0
    old, new = wcs.pixel_to_world_values(x0 + 1.5, y0 + 1.5), binned.wcs.pixel_to_world_values(x0, y0)
    np.testing.assert_allclose(new, old, rtol=1e-12)
    old, new = wcs.pixel_to_world_values(x0 + 9.5, y0 + 5.5), binned.wcs.pixel_to_world_values(x0 + 2, y0 + 1)
    np.testing.assert_allclose(new, old, rtol=1e-12)


@pytest.mark.parametrize("factor", [1, 2.5, "8"])
def test_factors_are_integers_above_one(factor) -> None:
    with pytest.raises(ValidationError, match="factor1"):
        BinnedConfig(factor1=factor)


def test_a_factor_that_is_no_integer_is_a_type_error(exposure) -> None:
    with pytest.raises(TypeError, match=r"must be an integer, not 2.0"):
        bin_exposure(exposure, 2.0)
