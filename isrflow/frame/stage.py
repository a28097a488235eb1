"""Raw mosaic or assembled detector: the refusal of those who can work on only one of the two."""

from __future__ import annotations

from isrflow.errors import GeometryError
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure


def assembled_detector(exposure: Exposure, why: str) -> Detector:
    """Return the detector of an assembled exposure.

    Parameters
    ----------
    exposure
        Left untouched.
    why
        Why nothing else will do; ends the message.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.
    """
    if exposure.detector is None or not exposure.is_trimmed:
        state = "has no detector" if exposure.detector is None else "is not assembled"
        raise GeometryError(f"{exposure.label} {state}: {why}")
    return exposure.detector


def mosaic_detector(exposure: Exposure, why: str) -> Detector:
    """Return the detector of a raw mosaic, whose amplifiers still have their overscans.

    Parameters
    ----------
    exposure
        Left untouched.
    why
        Why nothing else will do; ends the message.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    """
    if exposure.detector is None or exposure.is_trimmed:
        state = "has no detector" if exposure.detector is None else "is trimmed already"
        raise GeometryError(f"{exposure.label} {state}: {why}")
    return exposure.detector
