"""Replace bad pixels by what their neighbours in the row suggest."""

from __future__ import annotations

import math

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.masks import grow_mask
from isrflow.kernels.rows import interpolate_rows, needs_fallback
from isrflow.kernels.statistics import clip
from isrflow.steps.step import StepConfig


class InterpolationConfig(StepConfig):
    """Which pixels are replaced."""

    planes: tuple[str, ...] = ("SAT", "BAD", "UNMASKEDNAN")
    """Mask planes whose pixels are replaced."""
    grow_saturated_px: int = 1
    """How far saturated regions are grown first (diamond); the grown pixels become saturated."""
    saturated_plane: str = "SAT"
    """The plane that is grown, if it is one of `planes`."""


def interpolate_masked(exposure: Exposure, config: InterpolationConfig) -> None:
    """Replace masked pixels by a weighted mean of good neighbours in their row, in place, and mark them INTRP.

    Image and variance are replaced alike; the mask keeps the bits that said why. Far from good pixels, at the ends of
    long runs at an edge, both become the clipped mean of the whole image.

    Raises
    ------
    MaskPlaneError
        If a plane does not exist.

    Notes
    -----
    ``I(t) = sum w_i I(p_i)`` over up to two good neighbours on either side, with the ordinary kriging weights for the
    covariance ``exp(-d^2 / 4)`` of an image of unit width (pixels), rounded to four decimals; V likewise.
    """
    bits = mask_bits(config.planes)
    image, mask, variance = exposure.planes()
    if config.grow_saturated_px > 0 and config.saturated_plane in config.planes:
        saturated = mask_bits(config.saturated_plane)
        grow_mask(mask, config.grow_saturated_px, saturated, saturated)
    # The reference takes bad pixels into this mean as well; clipping deals with most of them. It is dear, and most
    # pictures have no bad region at an edge.
    fallback = clip(image).mean if needs_fallback(mask, bits) else math.nan
    interpolate_rows(image, variance, mask, bits=bits, interpolated_bit=mask_bits("INTRP"), fallback=fallback)
