"""Flat: the relative response of the pixels, through one filter.

Applied as ``image /= flat / scale``, the variance by the quotient rule, masks OR-ed. Dimensionless, about one. Looked
up by instrument, detector and physical filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Detector


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat(ImageCalibration):
    """The mean of corrected exposures of an evenly lit screen or sky, each scaled to its own level."""

    kind: ClassVar[str] = "flat"
    obs_type: ClassVar[str] = "flat"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector", "physical_filter")

    def _own_problems(self) -> list[str]:
        return self._without_level()

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a flat with one percent of pixel-to-pixel variation and dark corners, through a filter named r."""
        height, width = detector.box.shape
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        image = (1.0 - 0.03 * (x * x + y * y)) * rng.normal(1.0, 0.01, detector.box.shape)
        flat = cls._example(detector, image, 1e-6, exposure_time_s=1.0, physical_filter="r")
        flat.exposure.header["FLATSRC"] = "DOME"
        return flat
