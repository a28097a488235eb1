"""From pixels as read to pixels that can be calculated with."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.errors import GeometryError, NotAnExposureError
from isrflow.frame.camera import Camera
from isrflow.frame.exposure import Exposure
from isrflow.steps.step import StepConfig


class ConvertConfig(StepConfig):
    """Settings of the conversion: there are none."""


def convert_to_float(exposure: Exposure, config: ConvertConfig) -> None:  # noqa: ARG001
    """Turn integer pixels into float32 and give the exposure a mask and a variance.

    Parameters
    ----------
    exposure
        Changed in place: integers get a new float32 image, an empty mask and zero variance. A float32 image keeps its
        memory, and its mask and variance if it has them; other floats are rounded to float32.
    config
        Unused.
    """
    if exposure.image.dtype.kind in "iub":
        exposure.image = exposure.image.astype(np.float32)
        exposure.mask = exposure.variance = None
    exposure.image = exposure.image.astype(np.float32, copy=False)
    if exposure.mask is None:
        exposure.mask = np.zeros(exposure.image.shape, np.int32)
    if exposure.variance is None:
        exposure.variance = np.zeros(exposure.image.shape, np.float32)


def ensure_exposure(thing: Any, camera: Camera | None = None, detector: int | str | None = None) -> Exposure | None:
    """Make an exposure of a bare image, and see that it has a detector.

    Parameters
    ----------
    thing
        An exposure (returned as it is, with the detector attached if it has none), a two-dimensional array (whose
        pixels the new exposure shares), or None (returned).
    camera, detector
        Where the detector of an exposure without one is looked up.

    Raises
    ------
    NotAnExposureError
        If `thing` is something else.
    GeometryError
        If the exposure has no detector and none was named, or the camera has no such detector.
    """
    if thing is None:
        return None
    if isinstance(thing, np.ndarray) and thing.ndim == 2:
        thing = Exposure(image=thing)
    if not isinstance(thing, Exposure):
        kind = f"array of {thing.ndim} dimensions" if isinstance(thing, np.ndarray) else type(thing).__name__
        raise NotAnExposureError(f"an exposure or a two-dimensional image is needed, not a {kind}")
    if thing.detector is None:
        if camera is None or detector is None:
            raise GeometryError(f"{thing.label} has no detector", fix="give the camera and the detector's id or name")
        thing.detector = camera.detector(detector)
    return thing
