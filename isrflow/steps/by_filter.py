"""Steps that are for exposures through some filters alone, and need their calibration only for these."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from isrflow.calibs.base import Calibration
from isrflow.errors import MissingCalibrations
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.steps.step import StepConfig

CalibrationT = TypeVar("CalibrationT", bound=Calibration)


class ByFilterConfig(StepConfig):
    """Base of the settings of such steps."""

    calibration: ClassVar[type[Calibration]]
    """What exposures through the filters need."""
    lack: ClassVar[str]
    """Why they need it, and that it is not there; for messages."""

    filters: tuple[str, ...] = ()
    """Physical filters or bands; exposures through others are left alone."""

    def demands(self, detector: Detector | None, physical_filter: str | None = None) -> frozenset[str]:  # noqa: ARG002
        """Demand the calibration for exposures through a listed filter."""
        return frozenset({self.calibration.kind}) if physical_filter in self.filters else frozenset()

    def ignores(self) -> frozenset[str]:
        """Look for no calibration unless some filter needs one."""
        return frozenset() if self.filters else frozenset({self.calibration.kind})

    def idle_through(self, physical_filter: str | None) -> frozenset[str]:
        """Look for no calibration of exposures through a filter that is not listed."""
        is_idle = physical_filter is not None and physical_filter not in self.filters
        return frozenset({self.calibration.kind}) if is_idle else frozenset()


def wanted_calibration(exposure: Exposure, config: ByFilterConfig, given: CalibrationT | None) -> CalibrationT | None:
    """Return the calibration of an exposure through one of the filters; None for other exposures.

    Raises
    ------
    MissingCalibrations
        If there is none for an exposure that needs it.
    """
    obs, kind = exposure.obs, config.calibration.kind
    if not obs.is_through(config.filters):
        return None
    if given is None:
        raise MissingCalibrations(
            f"{exposure.label} was taken through {obs.physical_filter or f'band {obs.band}'}, {config.lack}",
            missing=[(kind, kind)],
            fix=f"give the calibration {kind}, or take the filter off {kind}.filters",
        )
    return given
