"""Make copies of lower resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from isrflow.frame.exposure import Exposure
from isrflow.kernels.binning import bin_planes
from isrflow.steps.step import ByProduct, StepConfig


class BinnedConfig(StepConfig):
    """The two resolutions."""

    enabled: bool = False
    """Whether the step is run."""
    factor1: int = Field(8, gt=1, strict=True)
    """Pixels to one pixel of the first copy, along each axis."""
    factor2: int = Field(64, gt=1, strict=True)
    """Pixels to one pixel of the second copy, along each axis."""


@dataclass(frozen=True, slots=True)
class BinnedExposures(ByProduct):
    """Two copies of lower resolution."""

    bin1: Exposure
    bin2: Exposure


def make_binned(exposure: Exposure, config: BinnedConfig) -> BinnedExposures:
    """Bin the exposure twice; the exposure is left untouched.

    Notes
    -----
    ``sum I / b^2`` and ``sum V / b^4`` over blocks of b by b pixels, masks OR-ed; the unit stays. Masked pixels count.
    """
    return BinnedExposures(bin_exposure(exposure, config.factor1), bin_exposure(exposure, config.factor2))


def bin_exposure(exposure: Exposure, factor: int) -> Exposure:
    """Average an exposure over blocks of `factor` by `factor` pixels.

    Returns
    -------
    Exposure
        New planes (incomplete blocks dropped), own header and history, the same circumstances; WCS, valid polygon and
        transmission curve are those of the larger pixels.
        The origin `xy0` is kept as it is, in binned pixels.

    Raises
    ------
    TypeError
        If the factor is not an integer.
    ValueError
        If it is not positive.
    """
    image, mask, variance = bin_planes(exposure.planes(), factor)
    header, history = dict(exposure.header), list(exposure.history)
    binned = replace(exposure, image=image, mask=mask, variance=variance, header=header, history=history)
    if exposure.wcs is not None:
        x0, y0 = exposure.xy0
        binned.wcs = exposure.wcs[y0::factor, x0::factor]
        binned.wcs.wcs.crpix += exposure.xy0
    _bin_places(binned, factor)
    return binned


def _bin_places(binned: Exposure, factor: int) -> None:
    """Let polygon and transmission speak of binned pixels: pixel x of them has its centre at ``factor x + offset``."""
    x0, y0 = binned.xy0
    offset = np.array([x0, y0]) * (1 - factor) + (factor - 1) / 2
    if binned.valid_polygon is not None:
        dx, dy = -offset / factor
        binned.valid_polygon = binned.valid_polygon.moved(scale=1 / factor, shift=(dx, dy))
    if binned.transmission is not None:
        binned.transmission = binned.transmission.seen_from(np.column_stack([np.eye(2) * factor, offset]))
