"""What `IsrTask.run` is given, and where it goes: one table from its keywords to steps and dataset types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from operator import index
from types import SimpleNamespace
from typing import Any

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.electrostatic import Electrostatic
from isrflow.calibs.flat import Flat
from isrflow.calibs.fringe import Fringe
from isrflow.calibs.illumination import Illumination
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.stray_light import StrayLight
from isrflow.calibs.transmission import (
    Transmission,
    TransmissionAtmosphere,
    TransmissionFilter,
    TransmissionOptics,
    TransmissionSensor,
)
from isrflow.errors import NotAnExposureError
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.transmission import TransmissionCurve
from isrflow.steps.convert import ConvertConfig, convert_to_float


@dataclass(frozen=True, slots=True)
class Given:
    """What `IsrTask.run` was given, by keyword, and the detector it is about."""

    values: Mapping[str, Any]
    detector: Detector


@dataclass(frozen=True, slots=True)
class Supply:
    """One keyword of `IsrTask.run`."""

    keyword: str
    step_keyword: str
    """Keyword of the steps that take it, which is also the calibration kind."""
    dataset_type: str
    make: Callable[[Any, Given], Calibration] | None = None
    """Turns what users of the reference pass (an exposure, a list of boxes, an array) into our calibration; None: it is
    no calibration of its own."""


def to_bias(given: Any) -> Bias:
    """Return a bias, made of an exposure or image if need be."""
    return given if isinstance(given, Bias) else Bias(exposure=_picture(given, "bias"))


def to_dark(given: Any) -> Dark:
    """Return a dark, made of an exposure or image if need be."""
    return given if isinstance(given, Dark) else Dark(exposure=_picture(given, "dark"))


def to_flat(given: Any) -> Flat:
    """Return a flat, made of an exposure or image if need be."""
    return given if isinstance(given, Flat) else Flat(exposure=_picture(given, "flat"))


def to_defects(given: Any) -> Defects:
    """Return defects, made of a list of boxes (or of [x0, y0, width, height]) if need be."""
    if isinstance(given, Defects):
        return given
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise NotAnExposureError(f"defects must be Defects or a list of boxes, not {type(given).__name__}")
    return Defects(boxes=tuple(_box(each, number) for number, each in enumerate(given)))


def _box(given: Any, number: int) -> Box:
    if isinstance(given, Box):
        return given
    try:
        x0, y0, width, height = (index(each) for each in given)
    except (TypeError, ValueError):
        raise NotAnExposureError(
            f"box {number} of the defects must be [x0, y0, width, height] in whole pixels, not {given!r}"
        ) from None
    return Box(x0, y0, width, height)


def to_kernel(given: Any, gains: Mapping[str, float] | None, detector: Detector) -> Calibration:
    """Return a kernel, made of an array [y, x] if need be, with the gains given beside it, or matrices as they are."""
    if isinstance(given, Electrostatic):
        return given
    if not isinstance(gains, (Mapping, type(None))):
        raise NotAnExposureError(f"bfGains must be a mapping of amplifier name to gain, not {type(gains).__name__}")
    if isinstance(given, BrighterFatterKernel):
        return given if gains is None else replace(given, gain=dict(gains), amp_names=tuple(gains))
    array = np.asarray(given)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "fiu":
        raise NotAnExposureError(
            f"bfKernel must be a BrighterFatterKernel or a square array of numbers, not "
            f"{f'one of shape {array.shape}' if isinstance(given, np.ndarray) else type(given).__name__}"
        )
    kernel = array.astype(np.float64)
    known = {} if gains is None else dict(gains)
    made = BrighterFatterKernel(
        level="DETECTOR",
        size_px=len(kernel),
        detector_kernels={detector.name: kernel},
        amplifier_kernels=dict.fromkeys(known, kernel),
        gain=known,
    )
    made.check()
    return made


def to_fringe(given: Any) -> Fringe:
    """Return fringe frames, made of one or several exposures or images, perhaps in a struct, if need be."""
    frames = given.fringes if isinstance(given, SimpleNamespace) else given
    if isinstance(frames, Fringe):
        return frames
    several = frames if isinstance(frames, (list, tuple)) else [frames]
    return Fringe(frames=tuple(_picture(frame, "fringes") for frame in several))


def fringe_seed(given: Any) -> int | None:
    """Return the seed that came with fringe frames; None if there is none."""
    seed = getattr(given, "seed", None)
    if seed is not None and not isinstance(seed, Integral):
        raise NotAnExposureError(f"the seed of fringes must be a whole number, not {seed!r}")
    return None if seed is None else int(seed)


def to_illumination(given: Any) -> Illumination:
    """Return an illumination correction, made of an exposure or image if need be."""
    return given if isinstance(given, Illumination) else Illumination(exposure=_picture(given, "illumMaskedImage"))


def to_stray_light(given: Any) -> StrayLight:
    """Return a model of stray light, made of an exposure or image if need be."""
    return given if isinstance(given, StrayLight) else StrayLight(exposure=_picture(given, "strayLightData"))


def _transmission(keyword: str, kind: type[Transmission]) -> Supply:
    def make(value: Any, _: Given) -> Calibration:
        if isinstance(value, kind):
            return value
        if not isinstance(value, TransmissionCurve):
            raise NotAnExposureError(
                f"{keyword} must be a {kind.__name__} or a TransmissionCurve, not {type(value).__name__}"
            )
        return kind(curve=value)

    return Supply(keyword, kind.kind, kind.kind, make)


def _one_of(keyword: str, kind: type[Calibration]) -> Callable[[Any, Given], Calibration]:
    def checked(value: Any, _: Given) -> Calibration:
        if not isinstance(value, kind):
            raise NotAnExposureError(f"{keyword} must be a {kind.__name__}, not {type(value).__name__}")
        return value

    return checked


SUPPLIES = (
    Supply("bias", "bias", "bias", lambda value, _: to_bias(value)),
    Supply("linearizer", "linearizer", "linearizer", _one_of("linearizer", Linearizer)),
    Supply("crosstalk", "crosstalk", "crosstalk", _one_of("crosstalk", Crosstalk)),
    Supply("crosstalkSources", "sources", "pre_crosstalk"),
    Supply("dark", "dark", "dark", lambda value, _: to_dark(value)),
    Supply("flat", "flat", "flat", lambda value, _: to_flat(value)),
    Supply("ptc", "ptc", "ptc", _one_of("ptc", PhotonTransferCurve)),
    Supply("defects", "defects", "defects", lambda value, _: to_defects(value)),
    Supply("bfKernel", "bfk", "bfk", lambda value, all_: to_kernel(value, all_.values.get("bfGains"), all_.detector)),
    Supply("bfGains", "bfk", "bfk"),
    Supply("fringes", "fringe", "fringe", lambda value, _: to_fringe(value)),
    _transmission("opticsTransmission", TransmissionOptics),
    _transmission("filterTransmission", TransmissionFilter),
    _transmission("sensorTransmission", TransmissionSensor),
    _transmission("atmosphereTransmission", TransmissionAtmosphere),
    Supply("strayLightData", "stray_light", "stray_light", lambda value, _: to_stray_light(value)),
    Supply("illumMaskedImage", "illumination", "illumination", lambda value, _: to_illumination(value)),
    Supply("deferredChargeCalib", "deferred_charge", "deferred_charge", _one_of("deferredChargeCalib", DeferredCharge)),
)
"""Every keyword of `IsrTask.run` that brings a calibration."""


def calibrations_of(given: Given) -> dict[str, Calibration]:
    """Turn the keywords of `IsrTask.run` into calibrations by kind; what is None is left out.

    Raises
    ------
    NotAnExposureError
        If something cannot be the calibration its keyword asks for.
    """
    present = [supply for supply in SUPPLIES if not _is_nothing(given.values.get(supply.keyword))]
    made = [supply.make(given.values[supply.keyword], given) for supply in present if supply.make is not None]
    return {calib.kind: calib for calib in made}


def sources_of(given: Any) -> dict[str, Exposure] | None:
    """Return crosstalk sources by detector name, from a list of exposures or a mapping; None for none."""
    if given is None:
        return None
    several = given.values() if isinstance(given, Mapping) else given
    exposures = list(several) if isinstance(several, Iterable) else [several]
    wrong = [type(each).__name__ for each in exposures if not isinstance(each, Exposure) or each.detector is None]
    if wrong:
        raise NotAnExposureError(f"crosstalkSources must be exposures with detectors, not {', '.join(wrong)}")
    return {each.detector.name: each for each in exposures}


def _is_nothing(value: Any) -> bool:
    """Tell whether a value says that there is nothing: None, or the reference's empty fringe struct."""
    return value is None or (isinstance(value, SimpleNamespace) and getattr(value, "fringes", None) is None)


def _picture(given: Any, keyword: str) -> Exposure:
    """Return an exposure with all planes, sharing the pixels of an exposure or image that has them."""
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = Exposure(image=given)
    if not isinstance(given, Exposure):
        raise NotAnExposureError(
            f"{keyword}: an exposure or a two-dimensional image is needed, not a {type(given).__name__}"
        )
    picture = given.view(given.box)
    convert_to_float(picture, ConvertConfig())
    return picture
