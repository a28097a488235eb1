"""Make small grey pictures for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.thumbnail import Stretch, make_thumbnail
from isrflow.steps.step import ByProduct, StepConfig


class ThumbnailConfig(StepConfig):
    """Size and grey scale."""

    enabled: bool = False
    """Whether the step is run."""
    binning: int = 4
    """Pixels of the image to one of the thumbnail, along each axis."""
    low_sigma: float = 3.0
    """Black lies so many clipped standard deviations below the median."""
    span: float = 5.0
    """Width of the nearly linear part of the grey scale, in image units."""
    softening: float = 20.0
    """The larger, the more is seen of bright features (the Q of the asinh stretch)."""
    saturated_border_px: int = 2
    """Saturated regions are shown white if there is signal within this distance; 0 shows them as they are."""


@dataclass(frozen=True, slots=True)
class OverscanThumbnail(ByProduct):
    """The picture after overscan subtraction and assembly, (ny, nx, 3) uint8, row 0 at the bottom."""

    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FlattenedThumbnail(ByProduct):
    """The picture after flat-fielding, (ny, nx, 3) uint8, row 0 at the bottom."""

    rgb: NDArray[np.uint8]


def make_overscan_thumbnail(exposure: Exposure, config: ThumbnailConfig) -> OverscanThumbnail:
    """Make a thumbnail of the assembled exposure before it is corrected; the exposure is left untouched.

    Notes
    -----
    As `make_flattened_thumbnail`, before the bias is subtracted.
    """
    return OverscanThumbnail(draw_thumbnail(exposure, config))


def make_flattened_thumbnail(exposure: Exposure, config: ThumbnailConfig) -> FlattenedThumbnail:
    """Make a thumbnail of the flat-fielded exposure; the exposure is left untouched.

    Notes
    -----
    ``grey = 0.1 * 255 * asinh(Q x / range) / asinh(0.1 Q)`` with ``x = I - (median - k sigma)`` in the unit of the
    image, 255 at most, 0 below; the pictures are bottom up, as arrays are.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133 (the stretch).
    """
    return FlattenedThumbnail(draw_thumbnail(exposure, config))


def draw_thumbnail(exposure: Exposure, config: ThumbnailConfig) -> NDArray[np.uint8]:
    """Bin and stretch an exposure, (ny // binning, nx // binning, 3); saturated regions are shown white."""
    stretch = Stretch(
        binning=config.binning,
        low_sigma=config.low_sigma,
        span=config.span,
        softening=config.softening,
        saturated_border=config.saturated_border_px,
    )
    return make_thumbnail(
        exposure.planes(),
        stretch,
        saturated_bit=mask_bits("SAT"),
        exclude_bits=mask_bits(("SAT", "BAD", "INTRP")),
    )
