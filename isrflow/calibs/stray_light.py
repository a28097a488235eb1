"""Stray light: a picture of the light that reaches a detector past the optics, through one filter.

Applied as ``image -= factor * model``, variances add with the square of the factor, masks are OR-ed. In adu,
as collected in its exposure time if it states one. Looked up by instrument, detector and physical filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure


@dataclass(frozen=True, kw_only=True, eq=False)
class StrayLight(ImageCalibration):
    """A model of stray light; this one is the same picture at all rotator angles."""

    kind: ClassVar[str] = "stray_light"
    obs_type: ClassVar[str] = "stray_light"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector", "physical_filter")

    depends_on_angle: ClassVar[bool] = False
    """Whether `evaluate` looks at the angles; true for models that override it."""

    def evaluate(self, begin_deg: float, end_deg: float) -> Exposure:  # noqa: ARG002 - for models that turn
        """Return the picture for an exposure during which the rotator went from one angle to another.

        Parameters
        ----------
        begin_deg, end_deg
            Rotator angles at the begin and end of the exposure; NaN where they are not asked for.

        Returns
        -------
        Exposure
            Of the detector's shape; the caller leaves it untouched.
        """
        return self.exposure

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a glow of 20 adu in one corner, through a filter named y."""
        height, width = detector.box.shape
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        image = 20.0 * np.exp(-3 * (x + y)) * rng.uniform(0.95, 1.05, detector.box.shape)
        return cls._example(detector, image, 0.01, exposure_time_s=30.0, physical_filter="y")
