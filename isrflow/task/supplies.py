"""What the tasks are given, and where it goes: a table from the keywords of each to those of the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from operator import index
from types import SimpleNamespace
from typing import Any, TypeVar

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
from isrflow.calibs.gain_correction import GainCorrection
from isrflow.calibs.illumination import Illumination
from isrflow.calibs.image import ImageCalibration
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

PictureT = TypeVar("PictureT", bound=ImageCalibration)


@dataclass(frozen=True, slots=True)
class Given:
    """What a task was given, by keyword, and the detector it is about."""

    values: Mapping[str, Any]
    detector: Detector


@dataclass(frozen=True, slots=True)
class Supply:
    """One keyword of `IsrTask.run` or `IsrTaskLSST.run`."""

    keyword: str
    step_keyword: str
    """Keyword of the steps that take it, which is also the calibration kind."""
    make: Callable[[Any, Given], Calibration] | None = None
    """Turns what users of the reference pass (an exposure, a list of boxes, an array) into our calibration; None: it is
    no calibration of its own."""


def to_picture(given: Any, kind: type[PictureT], keyword: str) -> PictureT:
    """Return a calibration that is one picture, made of an exposure or image if need be."""
    return given if isinstance(given, kind) else kind(exposure=_picture(given, keyword))


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


def _transmission(keyword: str, kind: type[Transmission]) -> Supply:
    def make(value: Any, _: Given) -> Calibration:
        if isinstance(value, kind):
            return value
        if not isinstance(value, TransmissionCurve):
            raise NotAnExposureError(
                f"{keyword} must be a {kind.__name__} or a TransmissionCurve, not {type(value).__name__}"
            )
        return kind(curve=value)

    return Supply(keyword, kind.kind, make)


def _image(keyword: str, kind: type[ImageCalibration]) -> Supply:
    return Supply(keyword, kind.kind, lambda value, _: to_picture(value, kind, keyword))


def _ready(keyword: str, kind: type[Calibration]) -> Supply:
    """Return the row of a calibration that nothing else can stand for."""

    def checked(value: Any, _: Given) -> Calibration:
        if not isinstance(value, kind):
            raise NotAnExposureError(f"{keyword} must be a {kind.__name__}, not {type(value).__name__}")
        return value

    return Supply(keyword, kind.kind, checked)


SUPPLIES = (
    _image("bias", Bias),
    _ready("linearizer", Linearizer),
    _ready("crosstalk", Crosstalk),
    Supply("crosstalkSources", "sources"),
    _image("dark", Dark),
    _image("flat", Flat),
    _ready("ptc", PhotonTransferCurve),
    Supply("defects", "defects", lambda value, _: to_defects(value)),
    Supply("bfKernel", "bfk", lambda value, all_: to_kernel(value, all_.values.get("bfGains"), all_.detector)),
    Supply("bfGains", "bfk"),
    Supply("fringes", "fringe", lambda value, _: to_fringe(value)),
    _transmission("opticsTransmission", TransmissionOptics),
    _transmission("filterTransmission", TransmissionFilter),
    _transmission("sensorTransmission", TransmissionSensor),
    _transmission("atmosphereTransmission", TransmissionAtmosphere),
    _image("strayLightData", StrayLight),
    _image("illumMaskedImage", Illumination),
    _ready("deferredChargeCalib", DeferredCharge),
)
"""Every keyword of `IsrTask.run` that brings a calibration."""
_SHARED = {supply.keyword: supply for supply in SUPPLIES}
SUPPLIES_LSST = (
    _SHARED["bias"],
    _SHARED["deferredChargeCalib"],
    _SHARED["linearizer"],
    _SHARED["ptc"],
    _ready("gainCorrection", GainCorrection),
    _SHARED["crosstalk"],
    _SHARED["defects"],
    _SHARED["bfKernel"],
    _ready("electroBfDistortionMatrix", Electrostatic),
    _SHARED["dark"],
    _SHARED["flat"],
)
"""Every keyword of `IsrTaskLSST.run` that brings a calibration, in the order in which the reference misses them."""


def calibrations_of(given: Given, supplies: Sequence[Supply] = SUPPLIES) -> dict[str, Calibration]:
    """Turn the keywords of a task into calibrations by kind; what is None is left out.

    Raises
    ------
    NotAnExposureError
        If something cannot be the calibration its keyword asks for.
    """
    present = [supply for supply in supplies if not _is_nothing(given.values.get(supply.keyword))]
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
