"""The vignette's polygon and the pixels outside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.polygon import Polygon
from isrflow.kernels.polygons import is_convex
from isrflow.steps.vignette import VignetteConfig, find_valid_polygon, mask_outside
from tests.vectors.harness import Outputs, Vector, covers

OUTSIDE = "Detectors outside the vignette circle"
ORIGIN = "Vignetting of a part of a detector"
NOT_CONVEX = "Valid polygons that are not convex"


@covers("VignetteTask(config).run(exposure, ...)")
def vignette(vector: Vector) -> Outputs:
    params = vector.params
    image, mask = vector.array("in_image"), vector.array("in_mask")
    picture = Exposure(image, mask, np.zeros(image.shape, np.float32), detector=placed_detector(params["geometry"]))
    config = vignette_config(params.get("config", {}), params.get("run_kwargs", {}))
    find_valid_polygon(picture, config)
    circle = Polygon.circle(config.x_mm, config.y_mm, config.radius_mm, config.n_vertices)
    changed = int(np.count_nonzero(picture.mask & vector.bits(config.plane)))
    scalars = {
        "fpPolygon": closed(circle, like=vector.scalars.get("fpPolygon")),
        "validPolygon": closed(picture.valid_polygon, like=vector.scalars.get("validPolygon")),
        "nMasked": changed,
    }
    outputs = ("out_image", "out_mask", "nMasked", "validPolygon")
    differs = dict.fromkeys(outputs, OUTSIDE) if picture.valid_polygon.is_empty else {}
    return Outputs(scalars=scalars, differs=differs, out_image=picture.image, out_mask=picture.mask)


@covers("maskVignettedRegion(*", "vignette.maskVignettedRegion(*")
def outside_a_polygon(vector: Vector) -> Outputs:
    params = vector.params
    x0, y0, width, height = params.get("bbox") or (0, 0, *vector.arrays["in_image"].shape[::-1])
    image = vector.array("in_image") if "in_image" in vector.arrays else np.zeros((height, width), np.float32)
    mask = vector.array("in_mask") if "in_mask" in vector.arrays else np.zeros((height, width), np.int32)
    picture = Exposure(image, mask, np.zeros(image.shape, np.float32), xy0=(x0, y0))
    polygon = Polygon(np.array(params["vertices"]))
    value = params.get("vignetteValue", argument(vector.function, "vignetteValue"))
    mask_outside(picture, polygon, plane=params.get("maskPlane", (vector.quoted() or ["NO_DATA"])[0]), fill_value=value)
    differs: dict[str, str] = {}
    if (x0, y0) != (0, 0):
        differs = dict.fromkeys(("out_image", "out_mask"), ORIGIN)
    elif not is_convex(polygon.vertices):
        differs = dict.fromkeys(("out_image", "out_mask"), NOT_CONVEX)
    return Outputs(differs=differs, out_image=picture.image, out_mask=picture.mask)


def vignette_config(config: dict[str, Any], run: dict[str, Any]) -> VignetteConfig:
    return VignetteConfig(
        enabled=True,
        x_mm=config.get("xCenter", 0.0),
        y_mm=config.get("yCenter", 0.0),
        radius_mm=config.get("radius", 100.0),
        n_vertices=config.get("numPolygonPoints", 100),
        mask=run.get("doUpdateMask", True),
        plane=run.get("maskPlane", "NO_DATA"),
        fill_value=run.get("vignetteValue"),
    )


def placed_detector(geometry: dict[str, Any], amplifiers: tuple[Amplifier, ...] = ()) -> Detector:
    """The detector of a vector in its place in the focal plane, which is stated for a reference pixel."""
    x0, y0, width, height = geometry["detectorBBox"]
    box = (x0, y0, width, height)
    size = geometry.get("pixelSize_mm", geometry.get("pixelSize"))
    turn = np.deg2rad(geometry.get("yaw_deg", 0.0))
    off = size * (np.array([x0 + (width - 1) / 2, y0 + (height - 1) / 2]) - geometry["refPixel"])
    x, y = (
        np.array(geometry["fpPosition"][:2])
        + np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ off
    )
    return Detector(
        id=0,
        name="D",
        box=box,
        amplifiers=amplifiers or (Amplifier(name="A", box=box, raw=box, raw_data=box),),
        focal_plane_x_mm=float(x),
        focal_plane_y_mm=float(y),
        pixel_size_mm=size,
        rotation_deg=geometry.get("yaw_deg", 0.0),
    )


def closed(polygon: Polygon, *, like: Any = None) -> list[list[float]]:
    """The vertices as the reference lists them: closed, from whichever vertex it begins with, the way round it goes."""
    vertices = polygon.vertices
    if not isinstance(like, list) or not like or len(vertices) == 0:
        return vertices.tolist()
    first = int(np.argmin(np.hypot(*(vertices - like[0]).T)))
    turned = np.roll(vertices, -first, axis=0)
    return [*turned.tolist(), turned[0].tolist()]


def argument(function: str, name: str) -> float | None:
    """The number a keyword has in a call as the vector spells it."""
    text = function.partition(f"{name}=")[2].partition(",")[0].rstrip(")")
    return float(text) if text and text != "None" else None
