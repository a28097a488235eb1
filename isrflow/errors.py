"""Everything isrflow refuses, as one tree.

::

    IsrflowError
    ├── ConfigError (ValueError)                a setting that does not exist or cannot be
    ├── RawError (RuntimeError)                 a raw file that cannot be read as an exposure
    │   ├── RawFileError                        unreadable, truncated or failing its CHECKSUM
    │   └── HeaderError                         cards missing or contradictory
    ├── GeometryError (RuntimeError)            pixels and camera description disagree
    ├── MaskPlaneError (LookupError)            a mask plane nobody has defined
    ├── CalibrationError (RuntimeError)
    │   ├── MissingCalibrations                 steps are enabled whose calibrations were not given
    │   ├── CalibrationMismatch                 made for another detector, unit or shape
    │   └── CalibrationFileError                a file that is not the calibration it claims to be
    ├── NotAnExposureError (TypeError)          an object that cannot become an exposure
    ├── UnprocessableError (RuntimeError)       data that no configuration could process
    ├── NotBuiltError (NotImplementedError)     named in the README's status table as not built yet
    └── StepError (RuntimeError)                a step failed: names step, exposure, detector, amplifier

Every message says what, where and why; `fix`, when set, is the next thing to type and is printed on its own line.
"""

from __future__ import annotations

from collections.abc import Sequence


class IsrflowError(Exception):
    """The root of all errors raised on purpose.

    Parameters
    ----------
    message
        What is wrong, where and why, with the offending values.
    fix
        The command or change that mends it, if there is one.
    """

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.fix}" if self.fix else self.message


class ConfigError(IsrflowError, ValueError):
    """A setting is unknown or has an impossible value."""


class RawError(IsrflowError, RuntimeError):
    """A raw file cannot be read as an exposure."""


class RawFileError(RawError):
    """A raw file is unreadable, truncated or fails its checksum."""


class HeaderError(RawError):
    """Header cards are missing or contradict each other."""


class GeometryError(IsrflowError, RuntimeError):
    """Pixels and camera description disagree."""


class MaskPlaneError(IsrflowError, LookupError):
    """A mask plane is not defined."""


class CalibrationError(IsrflowError, RuntimeError):
    """A calibration is missing, malformed or does not belong to this exposure."""


class MissingCalibrations(CalibrationError):  # noqa: N818 - reads as what it is
    """Steps are enabled whose calibrations were not supplied.

    Parameters
    ----------
    missing
        (step, calibration kind) pairs, all of them.
    """

    def __init__(self, message: str, *, missing: Sequence[tuple[str, str]] = (), fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.missing = tuple(missing)


class CalibrationMismatch(CalibrationError):  # noqa: N818
    """A calibration was made for another detector, unit or shape."""


class CalibrationFileError(CalibrationError):
    """A file is not the calibration it claims to be."""


class NotAnExposureError(IsrflowError, TypeError):
    """An object cannot become an exposure."""


class UnprocessableError(IsrflowError, RuntimeError):
    """No configuration could process these data."""


class NotBuiltError(IsrflowError, NotImplementedError):
    """The feature is named in the README's status table as not built yet."""


class StepError(IsrflowError, RuntimeError):
    """A step of the recipe failed; the cause is chained.

    Parameters
    ----------
    step, exposure, detector, amplifier
        The culprit's coordinates; None where they do not apply.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str,
        exposure: int | None = None,
        detector: str | None = None,
        amplifier: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.step = step
        self.exposure = exposure
        self.detector = detector
        self.amplifier = amplifier
