"""Give bad pixels the level of the picture, so that nothing extreme is left where interpolation does not reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.gather import count_where, fill_where, good_median
from isrflow.kernels.statistics import clip
from isrflow.steps.step import ByProduct, StepConfig


class BadRegionsConfig(StepConfig):
    """What level is used."""

    statistic: Literal["MEDIAN", "MEANCLIP"] = "MEDIAN"
    """Median or clipped mean of the pixels that are not BAD."""


@dataclass(frozen=True, slots=True)
class BadRegions(ByProduct):
    """How many pixels were given which level (NaN if none was)."""

    n_pixels: int
    level: float


def fill_bad_regions(exposure: Exposure, config: BadRegionsConfig) -> BadRegions:
    """Set BAD pixels that are not interpolated to the level of the others, in place; the variance is kept.

    If all pixels are BAD they become NaN.

    Notes
    -----
    ``I = median of pixels that are not BAD`` where BAD is set and INTRP is not; same unit, mask and variance as they
    are.
    """
    image, mask, _ = exposure.planes()
    bad, repaired = mask_bits("BAD"), mask_bits("INTRP")
    count = count_where(mask, has=bad, lacks=repaired)
    if count == 0:
        return BadRegions(0, math.nan)
    median = config.statistic == "MEDIAN"
    level = good_median(image, mask, bad) if median else clip(image, exclude=(mask & bad) != 0).mean
    fill_where(image, mask, has=bad, lacks=repaired, value=level)
    return BadRegions(count, level)
