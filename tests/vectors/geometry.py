"""Detectors and exposures from the geometry of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from tests.vectors.harness import Vector, number_or_none


def box(numbers: list[int]) -> Box:
    return Box(*(int(number) for number in numbers))


def amplifier(amp: dict[str, Any], **more: Any) -> Amplifier:
    """The amplifier of a manifest entry; where the geometry gives no trimmed box, that of the raw data."""
    data = box(amp["rawDataBBox"])
    place = box(amp["bbox"])
    return Amplifier(
        name=amp["name"],
        box=place if place.shape == data.shape else Box(0, 0, data.width, data.height),
        raw=box(amp["rawBBox"]),
        raw_data=data,
        raw_serial_overscan=box(amp["rawSerialOverscanBBox"]),
        raw_parallel_overscan=box(amp["rawParallelOverscanBBox"]),
        raw_serial_prescan=box(amp["rawPrescanBBox"]),
        raw_flip_x=amp["rawFlipX"],
        raw_flip_y=amp["rawFlipY"],
        raw_xy_offset=tuple(amp["rawXYOffset"]),
        readout_corner=amp["readoutCorner"],
        gain_electron_per_adu=number_or_none(amp["gain"]),
        read_noise_electron=number_or_none(amp["readNoise"]),
        saturation_adu=number_or_none(amp["saturation"]),
        suspect_level_adu=number_or_none(amp["suspectLevel"]),
        **more,
    )


def in_one_mosaic(amp: dict[str, Any]) -> dict[str, Any]:
    """The amplifier with its raw boxes moved by its offset: segments that lie on each other become a mosaic."""
    dx, dy = amp["rawXYOffset"]
    moved = {key: [v[0] + dx, v[1] + dy, *v[2:]] for key, v in amp.items() if key.startswith("raw") and "BBox" in key}
    return {**amp, **moved, "rawXYOffset": [0, 0]}


def detector(params: dict[str, Any], **more: Any) -> Detector:
    geometry = params["geometry"]
    described = geometry["amps"]
    if len({tuple(amp["rawBBox"][:2]) for amp in described}) < len(described):
        described = [in_one_mosaic(amp) for amp in described]
    amplifiers = tuple(amplifier(amp) for amp in described)
    whole = box(geometry["detectorBBox"])
    if whole.is_empty:
        whole = amplifiers[0].box
    return Detector(id=0, name="D", box=whole, amplifiers=amplifiers, **more)


def exposure(vector: Vector, *, in_detector: bool = True, prefix: str = "in_", **more: Any) -> Exposure:
    """The exposure of the arrays ``in_image``, ``in_mask``, ``in_variance``; planes not given are zero."""
    image = vector.array(f"{prefix}image") if f"{prefix}image" in vector.arrays else None
    mask = vector.array(f"{prefix}mask") if f"{prefix}mask" in vector.arrays else None
    shape = (image if image is not None else mask).shape
    variance = f"{prefix}variance"
    return Exposure(
        image=image if image is not None else np.zeros(shape, np.float32),
        mask=mask if mask is not None else np.zeros(shape, np.int32),
        variance=vector.array(variance) if variance in vector.arrays else np.zeros(shape, np.float32),
        detector=detector(vector.params) if in_detector else None,
        **more,
    )


def planes(exposure: Exposure, vector: Vector, prefix: str = "out_") -> dict[str, np.ndarray]:
    """Those planes of an exposure which the vector holds as outputs."""
    found = {f"{prefix}{name}": getattr(exposure, name) for name in ("image", "mask", "variance")}
    return {name: plane for name, plane in found.items() if name in vector.arrays}
