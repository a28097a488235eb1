"""What `IsrTask.run` is given, and where it goes: one table from its keywords to steps and dataset types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.deferred_charge import DeferredCharge
from isrflow.calibs.flat import Flat
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import NotAnExposureError, NotBuiltError
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from isrflow.steps.convert import ConvertConfig, convert_to_float
from isrflow.task.base import Struct


@dataclass(frozen=True, slots=True)
class Supply:
    """One keyword of `IsrTask.run`."""

    keyword: str
    step_keyword: str | None
    """Keyword of the steps that take it (also the calibration kind); None: what it is for is not built."""
    dataset_type: str
    make: Callable[[Any], Any] | None = None
    """Turns what users of the reference pass (an exposure, a list of boxes) into our calibration."""


def to_bias(given: Any) -> Bias:
    """Return a bias, made of an exposure or image if need be."""
    return given if isinstance(given, Bias) else Bias(exposure=_picture(given))


def to_dark(given: Any) -> Dark:
    """Return a dark, made of an exposure or image if need be."""
    return given if isinstance(given, Dark) else Dark(exposure=_picture(given))


def to_flat(given: Any) -> Flat:
    """Return a flat, made of an exposure or image if need be."""
    return given if isinstance(given, Flat) else Flat(exposure=_picture(given))


def to_defects(given: Any) -> Defects:
    """Return defects, made of a list of boxes (or of [x0, y0, width, height]) if need be."""
    if isinstance(given, Defects):
        return given
    return Defects(boxes=tuple(each if isinstance(each, Box) else Box(*each) for each in given))


SUPPLIES = (
    Supply("bias", "bias", "bias", to_bias),
    Supply("linearizer", "linearizer", "linearizer"),
    Supply("crosstalk", "crosstalk", "crosstalk"),
    Supply("crosstalkSources", "sources", "post_isr"),
    Supply("dark", "dark", "dark", to_dark),
    Supply("flat", "flat", "flat", to_flat),
    Supply("ptc", "ptc", "ptc"),
    Supply("defects", "defects", "defects", to_defects),
    Supply("bfKernel", None, "bf_kernel"),
    Supply("bfGains", None, "bf_gains"),
    Supply("fringes", None, "fringe"),
    Supply("opticsTransmission", None, "transmission_optics"),
    Supply("filterTransmission", None, "transmission_filter"),
    Supply("sensorTransmission", None, "transmission_sensor"),
    Supply("atmosphereTransmission", None, "transmission_atmosphere"),
    Supply("strayLightData", None, "stray_light"),
    Supply("illumMaskedImage", None, "illumination"),
    Supply("deferredChargeCalib", "deferred_charge", "deferred_charge"),
)
_KINDS: dict[str, type[Calibration]] = {
    "linearizer": Linearizer,
    "crosstalk": Crosstalk,
    "ptc": PhotonTransferCurve,
    "deferredChargeCalib": DeferredCharge,
}


def calibrations_of(given: Mapping[str, Any]) -> dict[str, Calibration]:
    """Turn the keywords of `IsrTask.run` into calibrations by kind; what is None is left out.

    Raises
    ------
    NotBuiltError
        If something is given that no step takes yet; all such keywords are named.
    NotAnExposureError
        If something cannot be the calibration its keyword asks for.
    """
    present = [supply for supply in SUPPLIES if not _is_nothing(given.get(supply.keyword))]
    unbuilt = [supply.keyword for supply in present if supply.step_keyword is None]
    if unbuilt:
        raise NotBuiltError(
            f"IsrTask.run was given {', '.join(unbuilt)}, whose corrections are not built yet",
            fix="leave these arguments out; the README's status table says what is built",
        )
    return {
        supply.step_keyword: _made(supply, given[supply.keyword])
        for supply in present
        if supply.step_keyword is not None and supply.keyword != "crosstalkSources"
    }


def _made(supply: Supply, given: Any) -> Calibration:
    if supply.make is not None:
        made: Calibration = supply.make(given)
        return made
    kind = _KINDS[supply.keyword]
    if not isinstance(given, kind):
        raise NotAnExposureError(f"{supply.keyword} must be a {kind.__name__}, not {type(given).__name__}")
    return given


def sources_of(given: Any) -> dict[str, Exposure] | None:
    """Return crosstalk sources by detector name, from a list of exposures or a mapping; None for none."""
    if given is None:
        return None
    exposures = given.values() if isinstance(given, Mapping) else given
    return {each.detector.name: each for each in exposures if each.detector is not None}


def _is_nothing(value: Any) -> bool:
    """Tell whether a value says that there is nothing: None, or the reference's empty fringe struct."""
    return value is None or (isinstance(value, Struct) and all(item is None for item in vars(value).values()))


def _picture(given: Any) -> Exposure:
    """Return an exposure with all planes, sharing the pixels of an exposure or image that has them."""
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = Exposure(image=given)
    if not isinstance(given, Exposure):
        raise NotAnExposureError(f"an exposure or a two-dimensional image is needed, not a {type(given).__name__}")
    picture = given.view(given.box)
    convert_to_float(picture, ConvertConfig())
    return picture
