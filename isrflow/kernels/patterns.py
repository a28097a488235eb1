"""Small square arrays: the image of a star, and a kernel made of one quadrant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


def gaussian_psf(fwhm_px: float) -> NDArray[np.float64]:
    """Return the image of a star under Gaussian seeing, of total 1.

    Parameters
    ----------
    fwhm_px
        Full width at half maximum.

    Returns
    -------
    array
        Square, of ``4 int(fwhm) + 1`` pixels a side, the star in the middle one.

    Raises
    ------
    ValueError
        If the width is not positive.
    """
    if not fwhm_px > 0:
        raise ValueError(f"a star {fwhm_px} px wide: the width must be positive")
    half = 2 * int(fwhm_px)
    across = np.exp(-0.5 * (np.arange(-half, half + 1) * FWHM_PER_SIGMA / fwhm_px) ** 2)
    image = np.outer(across, across)
    return np.asarray(image / image.sum())


def mirror_quadrant(quadrant: NDArray[Any]) -> NDArray[Any]:
    """Return the array of which this is the quadrant right of and above the middle, the middle row and column included.

    Parameters
    ----------
    quadrant
        (n, m), its first pixel in the middle.

    Returns
    -------
    array
        (2 n - 1, 2 m - 1), equal to itself turned over along either axis.
    """
    return np.pad(quadrant, ((quadrant.shape[0] - 1, 0), (quadrant.shape[1] - 1, 0)), mode="reflect")
