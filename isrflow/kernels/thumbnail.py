"""A small grey picture of an image, stretched so that sky, faint and bright are all seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.binning import bin_planes
from isrflow.kernels.footprints import label
from isrflow.kernels.layout import Float32, Planes
from isrflow.kernels.statistics import describe, usable

_WHITE = 255.0
_LINEAR = 0.1  # share of full white up to which the stretch is nearly linear


@dataclass(frozen=True, slots=True)
class Stretch:
    """How levels become greys.

    Parameters
    ----------
    binning
        Pixels of the image to one of the thumbnail, along each axis.
    low_sigma
        Black lies this many clipped standard deviations below the median.
    span
        Width of the nearly linear part, in image units above black.
    softening
        Q of the stretch: the larger, the more is seen of bright features.
    saturated_border
        Distance in thumbnail pixels within which a saturated region must have signal to be shown white; 0: leave as is.
    """

    binning: int = 4
    low_sigma: float = 3.0
    span: float = 5.0
    softening: float = 20.0
    saturated_border: int = 2


def make_thumbnail(planes: Planes, stretch: Stretch, *, saturated_bit: int, exclude_bits: int) -> NDArray[np.uint8]:
    """Bin and stretch a picture.

    Parameters
    ----------
    planes
        Image, mask and variance, (ny, nx), left untouched.
    stretch
        Binning and grey scale.
    saturated_bit, exclude_bits
        Mask bits of saturated regions, and of pixels left out of the median, deviation and maximum.

    Returns
    -------
    ndarray
        (ny // binning, nx // binning, 3) uint8, three equal channels; row 0 is the bottom.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133 (asinh stretch).
    """
    image, mask, _ = bin_planes(planes, stretch.binning)
    exclude = (mask & exclude_bits) != 0
    found = describe(image, exclude=exclude)
    if found.n == 0:
        return np.zeros((*image.shape, 3), np.uint8)
    if stretch.saturated_border > 0:
        brightest = float(usable(image, exclude).max())
        _whiten_saturated(image, (mask & saturated_bit) != 0, brightest, stretch.saturated_border)
    above = image.astype(np.float64) - (found.median - stretch.low_sigma * found.clipped.stdev)
    slope = _LINEAR * _WHITE / np.arcsinh(_LINEAR * stretch.softening)
    with np.errstate(invalid="ignore"):
        grey = np.where(above > 0, np.arcsinh(above * stretch.softening / stretch.span) * slope, 0.0)
    return np.repeat(np.minimum(grey, _WHITE).astype(np.uint8)[..., None], 3, axis=2)


def _whiten_saturated(image: Float32, saturated: NDArray[np.bool_], white: float, border: int) -> None:
    """Show saturated regions, whose pixels mean nothing, as bright as the brightest good pixel."""
    from scipy.ndimage import binary_dilation, find_objects  # half a second that only thumbnails pay

    labels, _ = label(saturated)
    reach = np.arange(-border, border + 1)
    disc = reach[:, None] ** 2 + reach**2 <= border**2
    for number, found in enumerate(find_objects(labels), start=1):
        around = tuple(slice(max(0, side.start - border), side.stop + border) for side in found)
        region = labels[around] == number
        near = binary_dilation(region, disc) & ~saturated[around]
        image[around][region] = white if image[around][near].sum() > 0 else 0.0
