"""What all calibrations share: identity, checks, and the five parts every type has.

The five parts, in this order in every file of this folder: (1) the docstring: what it corrects, units, formula, the
dimensions it is looked up by; (2) the frozen dataclass; (3) `check`; (4) its forms on disk; (5) `example`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from astropy.io import fits

from isrflow.calibs.compare import differences
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure


@dataclass(frozen=True, slots=True)
class CalibInfo:
    """Who a calibration belongs to; empty or None means "not said", which matches everything."""

    instrument: str = ""
    detector_id: int | None = None
    detector_name: str = ""
    detector_serial: str = ""
    physical_filter: str | None = None
    creation_date: str = ""
    """ISO date and time of making, as the file states it."""
    identity: str = field(default="", compare=False)
    """Registry id or content hash, when known; goes into product headers."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Other cards of the file, as read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration(ABC):
    """Base of all calibration types; instances are never changed by the steps that use them.

    Two calibrations are equal if they are of the same type and hold the same values exactly, NaN being equal to NaN;
    the registry's identity is not part of the value.
    """

    info: CalibInfo = field(default_factory=CalibInfo)

    kind: ClassVar[str]
    """Name of the type: step keyword, dataset type and file label."""
    dimensions: ClassVar[tuple[str, ...]]
    """What it is looked up by."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and not differences(self, other)

    __hash__ = None  # type: ignore[assignment] # arrays have no hash

    @abstractmethod
    def check(self) -> None:
        """Raise `CalibrationError` if the calibration contradicts itself; name field and amplifier."""

    @abstractmethod
    def to_hdus(self) -> fits.HDUList:
        """Return the calibration as FITS HDUs in the layout of the reference."""

    @classmethod
    @abstractmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make the calibration from FITS HDUs; raises `CalibrationFileError`."""

    @classmethod
    @abstractmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make a plausible calibration for a detector, for tests, tutorials and the simulator."""

    @property
    def part(self) -> str:
        """Say which of several calibrations of its kind with one data id this is, if there can be several."""
        return ""

    def exposure_words(self) -> Mapping[str, Any]:
        """Return what it says about the exposure it was taken with (day_obs, seq_num, obs_id), if it was with one."""
        return {}

    def mismatch(self, exposure: Exposure) -> str | None:
        """Say why this calibration cannot serve the exposure, or None if it can.

        Only what both sides state is compared.
        """
        detector, info = exposure.detector, self.info
        if detector is not None and "detector" in self.dimensions:
            if info.detector_id is not None and info.detector_id != detector.id:
                return (
                    f"{self.kind} was made for detector {info.detector_id}, the exposure is of detector {detector.id}"
                )
            if info.detector_name and info.detector_name != detector.name:
                return f"{self.kind} was made for detector {info.detector_name}, the exposure is of {detector.name}"
        wanted = exposure.obs.physical_filter
        by_filter = "physical_filter" in self.dimensions  # others state, at most, the filter they were measured in
        if by_filter and info.physical_filter and wanted and info.physical_filter != wanted:
            return f"{self.kind} was made for filter {info.physical_filter}, the exposure was taken through {wanted}"
        return None
