"""From pixels as read to pixels that can be calculated with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        memory, and its mask and variance if it has them, unless that is read-only or not in rows; other floats are
        rounded to float32.
    config
        Unused.

    Raises
    ------
    NotAnExposureError
        If the pixels are not real numbers.

    Notes
    -----
    ``I = float32(raw)``, ``M = 0``, ``V = 0``; the unit stays adu. uint16 is exact in float32, int32 up to 2^24.
    """
    if exposure.image.dtype.kind in "iub":
        exposure.image = exposure.image.astype(np.float32)
        exposure.mask = exposure.variance = None
    elif exposure.image.dtype.kind != "f":
        raise NotAnExposureError(f"{exposure.label}: pixels of type {exposure.image.dtype} are not real numbers")
    if exposure.mask is None and exposure.assembled is None:
        exposure.assembled = False
    exposure.image = _in_rows(exposure.image, np.float32)
    shape = exposure.image.shape
    exposure.mask = np.zeros(shape, np.int32) if exposure.mask is None else _in_rows(exposure.mask, np.int32)
    given = exposure.variance
    exposure.variance = np.zeros(shape, np.float32) if given is None else _in_rows(given, np.float32)


def _in_rows(plane: NDArray[Any], dtype: type) -> NDArray[Any]:
    """Return a plane as the kernels want it: writable, the pixels of a row side by side; copied only if it is not."""
    plane = plane.astype(dtype, copy=False)
    side_by_side = plane.size == 0 or (plane.strides[1] == plane.itemsize and plane.strides[0] >= 0)
    return plane if side_by_side and plane.flags.writeable and plane.flags.aligned else plane.copy(order="C")


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
        If `thing` or `camera` is something else.
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
            lacking = [
                name for name, given in (("camera", camera), ("detector number or name", detector)) if given is None
            ]
            raise GeometryError(
                f"{thing.label} has no detector, and no {' and no '.join(lacking)} says which it is",
                fix="give both (IsrTask: camera and detectorNum), or make it with Exposure(image, detector=...)",
            )
        if not isinstance(camera, Camera):
            raise NotAnExposureError(
                f"camera must be a Camera, not {type(camera).__name__}",
                fix="isrflow.load_camera(name or path) gives one",
            )
        thing.detector = camera.detector(detector)
    return thing
