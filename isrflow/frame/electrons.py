"""Exposures in electrons for a while: corrections that follow charge need them so."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.kernels.arithmetic import divide_by, multiply_by
from isrflow.kernels.threads import map_in_threads

log = logging.getLogger(__name__)

_SAME_GAIN = 1e-4
"""Relative difference up to which two gains are the same."""


@contextmanager
def in_electrons(exposure: Exposure, image: NDArray[np.float32], gains: Mapping[str, float]) -> Iterator[None]:
    """Turn an image of a trimmed exposure from adu to electrons, and back afterwards, to rounding.

    Parameters
    ----------
    exposure
        Says where the amplifiers are.
    image
        As large as the exposure, changed in place.
    gains
        electron/adu by amplifier name; empty if the image is in electrons already.
    """
    views = _amplifiers_of(exposure, image) if gains else {}
    map_in_threads(lambda name: multiply_by(views[name], None, gains[name]), list(views))
    yield
    map_in_threads(lambda name: divide_by(views[name], None, gains[name]), list(views))


def gains_to_use(
    exposure: Exposure,
    own: Mapping[str, float],
    effective: Mapping[str, float] | None,
    what: str,
    *,
    refuse_others: bool = False,
) -> Mapping[str, float]:
    """Return the gains of a calibration, or without any those of earlier steps, or those of the camera.

    Parameters
    ----------
    exposure
        Names the amplifiers.
    own
        electron/adu by amplifier name, as the calibration states them; NaN counts as not stated.
    effective
        The same as earlier steps found them; there is a warning if the calibration was measured with others.
    what
        Name of the calibration for messages.
    refuse_others
        Refuse such a calibration.

    Raises
    ------
    GeometryError
        If the exposure has no detector.
    CalibrationMismatch
        If the calibration has gains, but not of all amplifiers, or refused ones; those are named.
    CalibrationError
        If gains of the calibration are zero or negative; those are named.
    """
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so its gains are not known")
    amplifiers = exposure.detector.amplifiers
    known = {name: gain for name, gain in own.items() if not math.isnan(gain)}
    if not known:
        described = {amp.name: amp.gain_electron_per_adu for amp in amplifiers}
        return described if effective is None else effective
    lacking = [amp.name for amp in amplifiers if amp.name not in known]
    if lacking:
        raise CalibrationMismatch(f"{exposure.label}: the {what} has no gain of amplifiers {', '.join(lacking)}")
    if impossible := [f"{name} ({gain:g})" for name, gain in known.items() if gain <= 0]:
        raise CalibrationError(f"{exposure.label}: gains of the {what} are not positive: {', '.join(impossible)}")
    if others := _others(known, effective or {}):
        message = f"{exposure.label}: gains of the {what} are not those of the exposure: {others}"
        if refuse_others:
            raise CalibrationMismatch(message, fix="measure it again, or set refuse_other_gains to false")
        log.warning("%s", message)
    return known


def _others(own: Mapping[str, float], effective: Mapping[str, float]) -> str:
    """Name the amplifiers whose gains differ, with both, or return nothing."""
    pairs = {
        name: (gain, effective[name]) for name, gain in own.items() if not math.isnan(effective.get(name, math.nan))
    }
    return ", ".join(
        f"{name} ({one:.6g}, {other:.6g})"
        for name, (one, other) in pairs.items()
        if not math.isclose(one, other, rel_tol=_SAME_GAIN)
    )


def _amplifiers_of(exposure: Exposure, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so its amplifiers are not known")
    return {amp.name: image[exposure.amp_box(amp).slices(exposure.xy0)] for amp in exposure.detector.amplifiers}
