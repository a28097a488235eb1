"""Make copies of lower resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        New planes (incomplete blocks dropped), own header and history, the WCS moved along, the same circumstances.
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
    return binned
