"""Give bad pixels the level of the picture, so that nothing extreme is left where interpolation does not reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.statistics import clip, median
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
    """
    image, mask, _ = exposure.planes()
    bad = (mask & mask_bits("BAD")) != 0
    chosen = bad & ((mask & mask_bits("INTRP")) == 0)
    count = int(np.count_nonzero(chosen))
    if count == 0:
        return BadRegions(0, math.nan)
    level = median(image, exclude=bad) if config.statistic == "MEDIAN" else clip(image, exclude=bad).mean
    image[chosen] = level
    return BadRegions(count, level)
