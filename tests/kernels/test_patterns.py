"""Small square arrays."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel

from isrflow.kernels.patterns import FWHM_PER_SIGMA, gaussian_psf, mirror_quadrant


@pytest.mark.parametrize(("fwhm", "size"), [(0.9, 1), (1.0, 5), (2.7, 9), (5.0, 21)])
def test_a_star_is_a_gaussian_of_total_one(fwhm, size) -> None:
    image = gaussian_psf(fwhm)
    assert image.shape == (size, size)
    assert image.sum() == pytest.approx(1)
    astropys = Gaussian2DKernel(fwhm / FWHM_PER_SIGMA, x_size=size, y_size=size).array
    np.testing.assert_allclose(image, astropys / astropys.sum(), rtol=1e-12)


def test_a_star_has_a_width() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        gaussian_psf(0.0)


def test_a_quadrant_is_mirrored_about_its_first_pixel() -> None:
    whole = mirror_quadrant(np.array([[1, 2], [3, 4]]))
    assert whole.tolist() == [[4, 3, 4], [2, 1, 2], [4, 3, 4]]
    assert mirror_quadrant(np.array([[5]])).tolist() == [[5]]
