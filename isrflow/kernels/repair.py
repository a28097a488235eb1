"""Replacing bad pixels where they would spoil what is computed from their neighbours."""

from __future__ import annotations

import math

from isrflow.kernels.layout import Float32, Int32
from isrflow.kernels.masks import grow_mask
from isrflow.kernels.rows import interpolate_rows, needs_fallback
from isrflow.kernels.statistics import clip


def replace_bad(
    image: Float32,
    variance: Float32 | None,
    mask: Int32,
    *,
    bits: int,
    interpolated_bit: int,
    grown_bits: int = 0,
    grow_px: int = 0,
) -> None:
    """Replace bad pixels by what their rows suggest, in place, as `interpolate_rows` does.

    Parameters
    ----------
    image, variance, mask
        Shape (ny, nx), changed in place.
    bits
        A pixel is bad when its mask has any of these bits; far from good ones the clipped mean of the image is taken.
    interpolated_bit
        The bit to add to bad pixels.
    grown_bits
        Bits that are first set within `grow_px` pixels (diamond) of pixels that have them.
    grow_px
        Zero for none.
    """
    grow_mask(mask, grow_px, grown_bits, grown_bits)
    # The reference takes bad pixels into this mean as well; clipping deals with most of them. It is dear, and most
    # pictures have no bad region at an edge.
    fallback = clip(image).mean if needs_fallback(mask, bits) else math.nan
    interpolate_rows(image, variance, mask, bits=bits, interpolated_bit=interpolated_bit, fallback=fallback)
