"""Dark: the charge that collects without light, per second of dark time.

Applied as ``image -= t_exposure / t_dark * dark``; variances add with the square of the scale, masks are OR-ed. The
dark time of the calibration is ``exposure.obs.dark_time_s`` (1 s for files of the reference). Looked up by instrument
and detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Detector


@dataclass(frozen=True, kw_only=True, eq=False)
class Dark(ImageCalibration):
    """The mean of bias-corrected dark exposures, scaled to its own dark time."""

    kind: ClassVar[str] = "dark"
    obs_type: ClassVar[str] = "dark"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")

    @property
    def dark_time_s(self) -> float:
        """Dark time the picture stands for; one second where the file does not say."""
        stated = self.exposure.obs.dark_time_s
        return float(stated) if np.isfinite(stated) else 1.0

    def _own_problems(self) -> list[str]:
        return [] if self.dark_time_s > 0 else [f"dark time is {self.dark_time_s} s, it must be positive"]

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a dark of 0.05 adu/s with one hot pixel in a thousand."""
        image = rng.normal(0.05, 0.01, detector.box.shape)
        image[rng.random(detector.box.shape) < 1e-3] = 50.0
        return cls._example(detector, image, 1e-4, exposure_time_s=1.0, dark_time_s=1.0)
