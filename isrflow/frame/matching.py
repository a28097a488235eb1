"""Laying one picture over another of the same size, or over the middle of a larger one."""

from __future__ import annotations

import numpy as np

from isrflow.errors import CalibrationMismatch
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits


def match_size(exposure: Exposure, picture: Exposure, what: str, *, trim_to_fit: bool = False) -> Exposure:
    """Return the part of an exposure that a picture covers, sharing its pixels.

    Parameters
    ----------
    exposure
        The larger or equal one. With `trim_to_fit` its pixels outside the picture become EDGE, in place.
    picture
        Laid over the middle of the exposure; where its origin is said to be does not matter.
    what
        Name of the picture for messages.
    trim_to_fit
        Whether it may be smaller, by the same even number of pixels along x and y.

    Raises
    ------
    CalibrationMismatch
        If the sizes do not fit.
    """
    ny, nx = exposure.image.shape
    dx, dy = nx - picture.image.shape[1], ny - picture.image.shape[0]
    if dx == 0 and dy == 0:
        return exposure
    sizes = f"{what} is {nx - dx} x {ny - dy} pixels, {exposure.label} is {nx} x {ny}"
    if not trim_to_fit:
        raise CalibrationMismatch(sizes, fix="set trim_to_fit of the step if the outer pixels are to be given up")
    for wrong, why in (
        (dx != dy, "they differ by different margins in x and y"),
        (dx % 2 != 0, "the margin is uneven"),
        (dx < 0, f"the {what} is larger"),
    ):
        if wrong:
            raise CalibrationMismatch(f"{sizes}: {why}")
    margin = dx // 2
    inner = exposure.box.grown(-margin)
    _, mask, _ = exposure.planes()
    outside = np.ones(mask.shape, bool)
    outside[inner.slices(exposure.xy0)] = False
    mask[outside] |= mask_bits("EDGE")
    return exposure.view(inner)
