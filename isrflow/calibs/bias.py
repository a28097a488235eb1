"""Bias: the fixed pattern left in every exposure after overscan subtraction.

Applied as ``image -= bias``; variances add, masks are OR-ed. Unit adu (or electron, as ``exposure.unit`` says). Looked
up by instrument and detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Detector


@dataclass(frozen=True, kw_only=True, eq=False)
class Bias(ImageCalibration):
    """The mean of overscan-corrected zero-second exposures."""

    kind: ClassVar[str] = "bias"
    obs_type: ClassVar[str] = "bias"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a bias with column structure of 2 adu and noise of 0.5 adu."""
        columns = rng.normal(0.0, 2.0, detector.box.width)
        image = columns + rng.normal(0.0, 0.5, detector.box.shape)
        return cls._example(detector, image, 0.25, exposure_time_s=0.0, dark_time_s=0.0)
