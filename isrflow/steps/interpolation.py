"""Replace bad pixels by what their neighbours suggest: those in the row, or all around."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from isrflow.errors import ConfigError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.gaussian_process import FieldRules, estimate_regions
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
    method: Literal["row", "gaussian_process"] = "row"
    """row: from two neighbours on either side in the row. gaussian_process: from the good pixels all around, as a
    smooth field; slow, replaces the image alone, and needs ``pip install 'isrflow[gp]'``."""
    correlation_px: float = Field(default=15.0, gt=0)
    """Correlation length of that field; pixels within five of them count."""
    cell_px: int = Field(default=20, ge=1)
    """Side of the cells in which these pixels are averaged."""


def interpolate_masked(exposure: Exposure, config: InterpolationConfig) -> None:
    """Replace masked pixels by a weighted mean of good neighbours, in place, and mark them INTRP.

    Image and variance are replaced alike (the variance not by the Gaussian process); the mask keeps the bits that said
    why. Far from good pixels, at the ends of long runs at an edge, both become the clipped mean of the whole image.

    Raises
    ------
    MaskPlaneError
        If a plane does not exist.
    ConfigError
        If the method needs a library that is not installed.

    Notes
    -----
    ``I(t) = sum w_i I(p_i)`` over up to two good neighbours on either side, with the ordinary kriging weights for the
    covariance ``exp(-d^2 / 4)`` of an image of unit width (pixels), rounded to four decimals; V likewise.
    The Gaussian process is described in `isrflow.kernels.gaussian_process`.
    """
    if config.method == "gaussian_process" and find_spec("sklearn") is None:
        raise ConfigError(
            "interpolation.method=gaussian_process needs scikit-learn, which is not installed",
            fix="pip install 'isrflow[gp]'",
        )
    bits = mask_bits(config.planes)
    image, mask, variance = exposure.planes()
    if config.grow_saturated_px > 0 and config.saturated_plane in config.planes:
        saturated = mask_bits(config.saturated_plane)
        grow_mask(mask, config.grow_saturated_px, saturated, saturated)
    if config.method == "gaussian_process":
        bad = (mask & bits) != 0
        estimate_regions(image, variance, bad, FieldRules(config.correlation_px, config.cell_px))
        mask[bad] |= mask_bits("INTRP")
        return
    # The reference takes bad pixels into this mean as well; clipping deals with most of them. It is dear, and most
    # pictures have no bad region at an edge.
    fallback = clip(image).mean if needs_fallback(mask, bits) else math.nan
    interpolate_rows(image, variance, mask, bits=bits, interpolated_bit=mask_bits("INTRP"), fallback=fallback)
