"""What an exposure's own header says about the shutter: the Hall-sensor fits of both blades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isrflow.calibs.shutter_motion import ShutterFit, ShutterMotion
from isrflow.errors import CalibrationError, ConfigError
from isrflow.frame.exposure import Exposure

_FIT = ("MODELSTARTTIME", "PIVOTPOINT1", "PIVOTPOINT2", "JERK0", "JERK1", "JERK2")
_DIRECTIONS = ("OPEN", "CLOSE")


@dataclass(frozen=True, slots=True)
class ShutterMotions:
    """The two motions of an exposure."""

    opening: ShutterMotion
    closing: ShutterMotion

    @classmethod
    def of_exposure(cls, exposure: Exposure) -> ShutterMotions:
        """Read both blades' fits from an exposure's header.

        Raises
        ------
        CalibrationError
            If cards are missing; all of them are named.
        """
        missing = [card for direction in _DIRECTIONS for card in _missing(exposure.header, direction)]
        if missing:
            raise CalibrationError(f"the header says too little about the shutter: no {', no '.join(missing)}")
        return cls(motion_of_header(exposure.header, "open"), motion_of_header(exposure.header, "close"))

    def midpoints_s(self) -> tuple[float, float]:
        """Return when opening and closing were half-way (zero acceleration), in s after the start of each."""
        return tuple(motion.midpoints_s(skip_position=True)[0] for motion in (self.opening, self.closing))  # type: ignore[return-value] # two


def motion_of_header(header: Mapping[str, Any], direction: str) -> ShutterMotion:
    """Read one blade's fit from header cards ``SHUTTER OPEN ...`` or ``SHUTTER CLOSE ...``.

    The ends of the motion are not known, so half the way cannot be found.

    Parameters
    ----------
    direction
        ``open`` or ``close``, in any case.

    Raises
    ------
    ConfigError
        If there is no such direction.
    CalibrationError
        If cards are missing; all of them are named.
    """
    name = direction.upper()
    if name not in _DIRECTIONS:
        raise ConfigError(f"the shutter has no direction {direction!r}; it can open and close")
    missing = _missing(header, name)
    if missing:
        raise CalibrationError(f"the header says too little about the shutter: no {', no '.join(missing)}")
    prefix = f"SHUTTER {name}"
    fit = ShutterFit(*(float(header[f"{prefix} HALLSENSORFIT {card}"]) for card in _FIT))
    return ShutterMotion(
        is_open=name == "OPEN",
        fits={"hallSensorFit": fit},
        fit_model=str(header[f"{prefix} MODEL"]),
        start_tai=str(header[f"{prefix} STARTTIME TAI ISOT"]),
        start_mjd=float(header[f"{prefix} STARTTIME TAI MJD"]),
        side=str(header[f"{prefix} SIDE"]),
    )


def _missing(header: Mapping[str, Any], direction: str) -> list[str]:
    cards = ("STARTTIME TAI ISOT", "STARTTIME TAI MJD", "SIDE", "MODEL", *(f"HALLSENSORFIT {card}" for card in _FIT))
    return [name for card in cards if header.get(name := f"SHUTTER {direction} {card}") is None]
