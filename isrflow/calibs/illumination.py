"""Illumination correction: how unevenly the screen or sky lit the flat, through one filter.

Applied as ``image /= illumination / scale`` after the flat, the variance by the quotient rule, masks OR-ed.
Dimensionless, about one. Looked up by instrument, detector and physical filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Detector


@dataclass(frozen=True, kw_only=True, eq=False)
class Illumination(ImageCalibration):
    """The smooth ratio of what the flat says of the response to what stars say."""

    kind: ClassVar[str] = "illumination"
    obs_type: ClassVar[str] = "illumination"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector", "physical_filter")

    def _own_problems(self) -> list[str]:
        return self._without_level()

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a correction of two percent from the middle to the corners, through a filter named r."""
        height, width = detector.box.shape
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        image = 1.0 + 0.01 * (x * x + y * y) * rng.uniform(0.9, 1.0)
        return cls._example(detector, image, 1e-8, exposure_time_s=1.0, physical_filter="r")
