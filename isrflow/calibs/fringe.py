"""Fringes: interference of narrow sky lines within the sensor, seen as a pattern of constant shape in red filters.

Applied as ``image -= sum(strength_i * frame_i)``, the strengths being fitted to each exposure; variances add with the
squares of the strengths, masks are not used. A frame is a picture of the pattern, about zero, in any unit: where
lines of the sky vary independently there may be several. Looked up by instrument, detector and physical filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from astropy.io import fits

from isrflow.calibs.base import Calibration
from isrflow.calibs.compare import differences
from isrflow.calibs.identity import info_of
from isrflow.calibs.image import ImageCalibration
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import exposure_to_hdus
from isrflow.frame.obs import Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Fringe(Calibration):
    """One or several fringe frames of one detector and filter."""

    frames: tuple[Exposure, ...]
    """Image float32, mask int32, variance float32, all of one shape (ny, nx); never changed by the steps that use
    them. In files, the first is a whole exposure, of the others only the planes are kept."""

    kind: ClassVar[str] = "fringe"
    obs_type: ClassVar[str] = "fringe"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector", "physical_filter")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fringe) and not differences(self._value(), other._value())

    __hash__ = None  # arrays have none

    def check(self) -> None:
        """Raise `CalibrationError` unless there are frames, of one shape, finite where they are not masked BAD."""
        if not self.frames:
            raise CalibrationError("fringe without frames: at least one is needed")
        problems = []
        for number, frame in enumerate(self.frames, 1):
            try:
                _Frame(info=self.info, exposure=frame).check()
            except CalibrationError as error:
                problems.append(f"frame {number}: {error.message}")
        shapes = [frame.image.shape for frame in self.frames]
        if len(set(shapes)) > 1:
            problems.append(f"fringe frames differ in shape: {', '.join(str(shape) for shape in shapes)}")
        if problems:
            raise CalibrationError("; ".join(problems))

    def mismatch(self, exposure: Exposure) -> str | None:
        """Say why these frames cannot serve the exposure: detector, filter or size; None if they can."""
        return _Frame(info=self.info, exposure=self.frames[0]).mismatch(exposure)

    def _value(self) -> tuple[Any, ...]:
        first = _Frame(info=self.info, exposure=self.frames[0]).value()
        return (first, *((frame.planes(), frame.unit, frame.xy0) for frame in self.frames[1:]))

    def to_hdus(self) -> fits.HDUList:
        """Return the first frame as an exposure, the planes of further ones behind it, numbered by EXTVER."""
        hdus = exposure_to_hdus(self.frames[0], _Frame(info=self.info, exposure=self.frames[0]).cards())
        for number, frame in enumerate(self.frames[1:], 2):
            for hdu in exposure_to_hdus(frame)[1:]:
                hdu.header["EXTVER"] = number
                hdus.append(hdu)
        return hdus

    @classmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make it of HDUs: an exposure, and further planes by EXTVER; raises `CalibrationFileError`."""
        numbers = [hdu.header.get("EXTVER", 1) for hdu in hdus[1:]]
        groups = [
            [hdu for hdu, other in zip(hdus[1:], numbers, strict=True) if other == number]
            for number in sorted(set(numbers)) or [1]
        ]
        found = [_Frame.from_hdus(fits.HDUList([hdus[0], *group])) for group in groups]
        return cls(info=found[0].info, frames=tuple(each.exposure for each in found))

    @classmethod
    def from_exposures(cls, *exposures: Exposure) -> Self:
        """Make it of frames as read; the cards of the first say whose they are.

        Raises
        ------
        CalibrationFileError
            If there are none, or one says that it is another type of calibration.
        """
        if not exposures:
            raise CalibrationFileError("fringe needs at least one frame")
        found = [_Frame.from_exposure(exposure) for exposure in exposures]
        return cls(info=found[0].info, frames=tuple(each.exposure for each in found))

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make two frames of rings about two places outside the detector, through a filter named r."""
        frames = tuple(_rings(detector, rng) for _ in range(2))
        return cls(info=info_of(detector, physical_filter="r"), frames=frames)


class _Frame(ImageCalibration):
    """One frame as a calibration of its own, for what all pictures share."""

    kind: ClassVar[str] = Fringe.kind
    obs_type: ClassVar[str] = Fringe.obs_type
    dimensions: ClassVar[tuple[str, ...]] = Fringe.dimensions

    def value(self) -> tuple[Any, ...]:
        return self._value()

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        return cls(info=info_of(detector), exposure=_rings(detector, rng))


def _rings(detector: Detector, rng: np.random.Generator) -> Exposure:
    ny, nx = detector.box.shape
    y, x = np.mgrid[:ny, :nx]
    x0, y0 = rng.uniform(-2, -1, 2) * (nx, ny)
    distance = np.hypot(x - x0, y - y0)
    image = np.sin(2 * np.pi * distance / rng.uniform(15, 25)).astype(np.float32)
    return Exposure(
        image,
        np.zeros(image.shape, np.int32),
        np.full(image.shape, 1e-4, np.float32),
        detector=detector,
        obs=Observation(obs_type=Fringe.obs_type, exposure_time_s=1.0, physical_filter="r"),
    )
