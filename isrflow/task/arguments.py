"""What the methods of `IsrTask` are called with, looked at before anything is done."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from isrflow.errors import ConfigError, NotAnExposureError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure

P = ParamSpec("P")
R = TypeVar("R")


def on_exposure(method: Callable[P, R]) -> Callable[P, R]:
    """Let a method refuse what is no exposure or amplifier by its name, and take an amplifier's name for it.

    The method's first argument is the exposure; its amplifier, if it takes one, is called ``amp``.
    """
    signature = inspect.signature(method)
    of_exposure = list(signature.parameters)[1]

    @wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        exposure = bound.arguments[of_exposure]
        if not isinstance(exposure, Exposure):
            raise NotAnExposureError(
                f"{method.__name__}: {of_exposure} must be an Exposure, not a {type(exposure).__name__}",
                fix="ensureExposure(image, camera, detectorNum) makes one of an image",
            )
        if "amp" in signature.parameters:
            bound.arguments["amp"] = _amplifier(bound.arguments["amp"], exposure, method.__name__)
        return method(*bound.args, **bound.kwargs)

    return checked


def _amplifier(given: Any, exposure: Exposure, method: str) -> Amplifier:
    if isinstance(given, str) and exposure.detector is not None:
        return exposure.detector.amplifier(given)
    if not isinstance(given, Amplifier):
        raise NotAnExposureError(
            f"{method}: amp must be an Amplifier or its name, not a {type(given).__name__}",
            fix="exposure.detector.amplifiers lists them",
        )
    return given


_FLATNESS: Mapping[str, tuple[str, Any]] = {
    "meshX": ("mesh_x_px", 256),
    "meshY": ("mesh_y_px", 256),
    "doClip": ("clip", True),
    "clipSigma": ("clip_sigma", 3.0),
    "nIter": ("clip_iterations", 3),
}


def flatness_settings(given: Any) -> dict[str, Any]:
    """Return the settings of the background from an IsrQaConfig or a mapping like it; what it leaves out is as there.

    Raises
    ------
    ConfigError
        If it has no ``flatness``, or settings that flatness does not have.
    """
    asked = given.get("flatness") if isinstance(given, Mapping) else getattr(given, "flatness", None)
    if asked is None:
        raise ConfigError(
            f"measureBackground: the IsrQaConfig must have flatness, with {', '.join(_FLATNESS)}; "
            f"a {type(given).__name__} without it was given"
        )
    if isinstance(asked, Mapping) and (unknown := sorted(set(asked) - set(_FLATNESS))):
        raise ConfigError(f"flatness has no {', '.join(unknown)} (it has {', '.join(_FLATNESS)})")
    stated = (
        asked
        if isinstance(asked, Mapping)
        else {name: getattr(asked, name) for name in _FLATNESS if hasattr(asked, name)}
    )
    return {ours: stated.get(theirs, default) for theirs, (ours, default) in _FLATNESS.items()}
