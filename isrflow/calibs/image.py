"""What bias, dark and flat share: a calibration that is a picture of one detector.

On disk it is an exposure: IMAGE, MASK and VARIANCE planes, with the identity in the header. Files of the reference
(compressed or not, with further tables behind) open as they are; a bare image gets an empty mask and no variance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from astropy.io import fits

from isrflow.calibs.base import Calibration
from isrflow.calibs.compare import differences
from isrflow.calibs.identity import identity_cards, info_from_cards, info_of
from isrflow.errors import CalibrationError, CalibrationFileError, RawFileError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import exposure_from_hdus, exposure_to_hdus
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.kernels.gather import Census, count_signs, good_median

_NOT_GOOD = ("BAD", "NO_DATA")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCalibration(Calibration):
    """A picture to be subtracted from, or divided into, exposures of its detector."""

    exposure: Exposure
    """Image float32, mask int32, variance float32, all (ny, nx); never changed by the steps that use it."""

    obs_type: ClassVar[str]
    """OBSTYPE of its files."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, ImageCalibration):
            return False
        return not differences(self._value(), other._value())

    __hash__ = None  # arrays have none

    def check(self) -> None:
        """Raise `CalibrationError` unless all planes are there, in their types, and good pixels are finite."""
        image, mask, variance = self.exposure.planes()
        wanted = (np.float32, np.int32, np.float32)
        problems = [
            f"{name} is {plane.dtype}, not {np.dtype(dtype)}"
            for name, plane, dtype in zip(("image", "mask", "variance"), (image, mask, variance), wanted, strict=True)
            if plane.dtype != dtype
        ]
        problems += self._odd_pixels()
        problems += self._own_problems()
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _value(self) -> tuple[Any, ...]:
        """Return what makes two pictures equal: pixels, unit, origin, circumstances and identity, not other cards."""
        exposure = self.exposure
        obs = replace(exposure.obs, instrument=self.info.instrument or exposure.obs.instrument)
        return (*exposure.planes(), exposure.unit, exposure.xy0, obs, self.info)

    def _odd_pixels(self) -> list[str]:
        counts = {name: self._count(plane) for name, plane in (("image", 0), ("variance", 2))}
        problems = [
            f"{name} has {count.n_not_finite} pixels that are not finite and not masked BAD"
            for name, count in counts.items()
            if count.n_not_finite
        ]
        if counts["variance"].n_negative:
            problems.append("variance is negative in pixels that are not masked BAD")
        return problems

    def _own_problems(self) -> list[str]:
        return []

    def _count(self, number: int) -> Census:
        """Count what there is in a plane, of whatever type it is."""
        planes = self.exposure.planes()
        plane, mask = np.asarray(planes[number], np.float32), np.asarray(planes[1], np.int32)
        return count_signs(plane, mask, mask_bits(_NOT_GOOD))

    def _without_level(self) -> list[str]:
        """Say that good pixels have no positive median, for pictures that others are divided by."""
        image, mask, _ = self.exposure.planes()
        if 2 * self._count(0).n_positive > image.size:
            return []  # most of all are positive, so the median of the good ones is
        level = good_median(np.asarray(image, np.float32), np.asarray(mask, np.int32), mask_bits(_NOT_GOOD))
        return [] if level > 0 else [f"the median of its good pixels is {level:.4g}, it must be positive"]

    @property
    def label(self) -> str:
        """Name the calibration for messages."""
        detector = self.info.detector_name or self.info.detector_id
        return self.kind if detector is None else f"{self.kind} of detector {detector}"

    def mismatch(self, exposure: Exposure) -> str | None:
        """Say why this picture cannot serve the exposure: detector, filter or size; None if it can."""
        reason = super().mismatch(exposure)
        if reason or exposure.detector is None:
            return reason
        mine = self.exposure.box
        for box in (exposure.detector.box, exposure.detector.raw_box):
            dx, dy = box.width - mine.width, box.height - mine.height
            if dx == dy and dx >= 0 and dx % 2 == 0:
                return None  # equal, or smaller by the same even margin: the steps can trim to fit
        box = exposure.detector.box
        return (
            f"{self.kind} is {mine.width} x {mine.height} pixels, "
            f"detector {exposure.detector.name} is {box.width} x {box.height}"
        )

    def to_hdus(self) -> fits.HDUList:
        """Return the planes as HDUs, the identity in the primary header."""
        return exposure_to_hdus(self.exposure, self.cards())

    def cards(self) -> dict[str, Any]:
        """Return the cards that say what this is and whose."""
        return {**self.info.metadata, **identity_cards(self.info), "OBSTYPE": self.obs_type}

    @classmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make the calibration from HDUs; raises `CalibrationFileError`."""
        try:
            exposure = exposure_from_hdus(hdus)
        except RawFileError as error:
            raise CalibrationFileError(f"not a {cls.kind}: {error.message}", fix=error.fix) from error
        return cls.from_exposure(exposure)

    @classmethod
    def from_exposure(cls, exposure: Exposure) -> Self:
        """Make the calibration of an exposure as read; its cards say whose it is.

        Raises
        ------
        CalibrationFileError
            If the exposure says it is another type of calibration.
        """
        stated = str(exposure.header.get("OBSTYPE", cls.obs_type)).lower()
        known = {"bias", "dark", "flat", "fringe", "illumination", "stray_light"}
        if stated in known and stated != cls.obs_type:
            raise CalibrationFileError(f"OBSTYPE says this is a {stated}, not a {cls.obs_type}")
        if exposure.mask is None:
            exposure.mask = np.zeros(exposure.image.shape, np.int32)
        if exposure.variance is None:
            exposure.variance = np.zeros(exposure.image.shape, np.float32)
        if exposure.image.dtype != np.float32:
            exposure.image = exposure.image.astype(np.float32)
        info, _ = info_from_cards(exposure.header)
        obs = replace(exposure.obs, obs_type=cls.obs_type)
        info = replace(info, metadata={}, instrument=info.instrument or obs.instrument)
        return cls(info=info, exposure=replace(exposure, obs=obs))

    @classmethod
    def _example(cls, detector: Detector, image: np.ndarray[Any, Any], variance: float, **obs: Any) -> Self:
        exposure = Exposure(
            image.astype(np.float32),
            np.zeros(detector.box.shape, np.int32),
            np.full(detector.box.shape, variance, np.float32),
            detector=detector,
            obs=Observation(obs_type=cls.obs_type, **obs),
        )
        info = info_of(detector, physical_filter=obs.get("physical_filter"))
        return cls(info=info, exposure=exposure)
