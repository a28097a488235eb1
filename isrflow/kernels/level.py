"""The level of some pixels: mean, median or clipped mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.statistics import clip, mean, median

Statistic = Literal["MEAN", "MEDIAN", "MEANCLIP"]


@dataclass(frozen=True, slots=True)
class LevelRule:
    """How a level is taken of some pixels; those that are not finite take no part."""

    statistic: Statistic = "MEANCLIP"
    n_sigma: float = 3.0
    n_iterations: int = 3

    def of(self, pixels: NDArray[Any], exclude: NDArray[np.bool_] | None = None) -> float:
        """Return the level of the pixels that are not excluded, NaN for none."""
        if pixels.size == 0:
            return float("nan")
        if self.statistic == "MEDIAN":
            return median(pixels, exclude=exclude)
        if self.statistic == "MEAN":
            return mean(pixels, exclude=exclude)
        return clip(pixels, exclude=exclude, n_sigma=self.n_sigma, n_iterations=self.n_iterations).mean
