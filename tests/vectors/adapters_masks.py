"""Thresholds, growth, footprints, edges, non-finite pixels, saturation."""

from __future__ import annotations

import re

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels import masks
from isrflow.kernels.footprints import boxes, grow, label
from isrflow.steps.edges import EdgesConfig, mask_edges
from isrflow.steps.nonfinite import NonfiniteConfig, mask_nonfinite
from isrflow.steps.saturation import (
    SaturationConfig,
    correct_saturation,
    mask_saturated_amp,
    mask_saturation,
    mask_suspect_amp,
)
from isrflow.steps.trails import TrailsConfig, widen_saturation_trails
from tests.vectors.adapters_interpolation import differences
from tests.vectors.geometry import box, exposure, planes
from tests.vectors.harness import Outputs, Vector, covers, number_or_none


@covers("isrFunctions.makeThresholdMask(*")
def threshold_mask(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=False)
    above = grow(picture.image >= params["threshold"], params["growFootprints"])
    picture.mask[above] |= vector.bits(params.get("maskName", "SAT"))
    return Outputs(scalars={"defectBoxes": boxes(above)}, **planes(picture, vector))


@covers("isrFunctions.saturationCorrection(*")
def saturation_correction(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=False)
    grow_px, interpolate = params["growFootprints"], params["interpolate"]
    above = grow(picture.image >= params["saturation"], grow_px)
    plane = params.get("maskName", (vector.quoted() or ["SAT"])[0])
    correct_saturation(picture, params["saturation"], grow_px=grow_px, interpolate=interpolate, plane=plane)
    where = differences(above, picture) if interpolate else {}
    return Outputs(differs=where, **planes(picture, vector))


@covers("IsrTask.saturationDetection(*")
def saturation_detection(vector: Vector) -> Outputs:
    picture = exposure(vector)
    for amp in picture.detector.amplifiers:
        mask_saturated_amp(picture, amp, SaturationConfig())
    return Outputs(**planes(picture, vector))


@covers("IsrTask.suspectDetection(*")
def suspect_detection(vector: Vector) -> Outputs:
    picture = exposure(vector)
    for amp in picture.detector.amplifiers:
        mask_suspect_amp(picture, amp, SaturationConfig())
    return Outputs(**planes(picture, vector))


@covers("IsrTask.maskAmplifier(*")
def bad_amplifiers(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector)
    level = number_or_none(params.get("saturation", "NaN"))
    config = SaturationConfig(
        mask_saturated=params.get("doSaturation", True), mask_suspect=params.get("doSuspect", False), level_adu=level
    )
    defects = Defects(boxes=tuple(box(numbers) for numbers in params.get("defects") or ()))
    bad = mask_saturation(picture, config, defects=defects)
    names = {amp.name: amp.name in bad.names for amp in picture.detector.amplifiers}
    return Outputs(scalars={"badAmp": names}, **planes(picture, vector))


@covers("isrFunctions.growMasks(*")
def grown_masks(vector: Vector) -> Outputs:
    params, mask = vector.params, vector.array("in_mask")
    *names, value = vector.quoted() or ["BAD", "BAD"]
    names, value = params.get("maskNameList", names), params.get("maskValue", value)
    masks.grow_mask(mask, params["radius"], vector.bits(names), vector.bits(value))
    return Outputs(out_mask=mask)


@covers("isrFunctions.widenSaturationTrails(mask)")
def widened_trails(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    widen_saturation_trails(picture, TrailsConfig())
    return Outputs(out_mask=picture.mask)


@covers("IsrTask.maskEdges(*")
def edges(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=vector.params["level"] == "AMP")
    plane = params.get("maskPlane", (vector.quoted() or ["SUSPECT"])[0])
    width = params["numEdgePixels"]
    mask_edges(picture, EdgesConfig(width_px=width, level=params["level"], plane=plane))
    boxes_inside = [amp.box for amp in picture.detector.amplifiers] if picture.detector else [picture.box]
    wide = any(2 * width >= min(each.width, each.height) for each in boxes_inside)
    return Outputs(differs={"out_mask": "Edges wider than half the image"} if wide else {}, out_mask=picture.mask)


@covers("IsrTask.maskNan", "IsrTask.maskNan(exposure)", "IsrTaskLSST.maskNan")
def nonfinite_pixels(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    before = picture.mask.copy()
    found = mask_nonfinite(picture, NonfiniteConfig())
    scalars = {
        "count": None,  # the method returns nothing; the number goes to the task's metadata
        "nChanged": int(np.count_nonzero(before != picture.mask)),
        "task_metadata": {"NUMNANS": found.count} if vector.function.startswith("IsrTask.") else None,
    }
    return Outputs(scalars=scalars, **planes(picture, vector))


@covers("maskNans*", "isrFunctions.maskNans*")
def nonfinite_pixels_except_some(vector: Vector) -> Outputs:
    """The function beneath, told which planes' pixels to pass over: ``maskNans_allowSAT``."""
    picture = exposure(vector, in_detector=False)
    allowed = [name for name in vector.planes if name in re.split(r"_allow|_|\W", vector.function)]
    before = picture.mask.copy()
    image, mask, variance = picture.planes()
    count = masks.mask_nonfinite(image, variance, mask, mask_bits("UNMASKEDNAN"), except_bits=vector.bits(allowed))
    scalars = {"returned": count, "nChanged": int(np.count_nonzero(before != mask)), "task_metadata": None}
    return Outputs(scalars=scalars, **planes(picture, vector))


@covers("afw.detection.FootprintSet(mask, Threshold(SAT, BITMASK)); Defects.fromFootprintList")
def footprints(vector: Vector) -> Outputs:
    plane = next((name for name in vector.planes if f"Threshold({name}," in vector.function), "SAT")
    marked = (vector.array("in_mask") & mask_bits(plane)) != 0
    labels, n = label(marked)
    pixels = [np.nonzero(labels == number) for number in range(1, n + 1)]
    scalars = {
        "nFootprints": n,
        "bboxes": [[x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1] for y, x in pixels],
        "areas": [y.size for y, _ in pixels],
        "centroids": [[x.mean(), y.mean()] for y, x in pixels],
        "defectBoxes": boxes(marked),
    }
    return Outputs(scalars=scalars, double=True)


@covers("Defects.fromMask(maskedImage, 'BAD')")
def boxes_of_a_mask(vector: Vector) -> Outputs:
    plane = (vector.quoted() or ["BAD"])[0]
    defects = Defects.from_mask((vector.array("in_mask") & mask_bits(plane)) != 0)
    return Outputs(scalars={"boxes": [[each.x0, each.y0, each.width, each.height] for each in defects.boxes]})


def amp_exposure(image: np.ndarray) -> Exposure:
    """A bare segment as an exposure whose other planes are zero."""
    return Exposure(image=image, mask=np.zeros(image.shape, np.int32), variance=np.zeros(image.shape, np.float32))


@covers("isrFunctions.countMaskedPixels(maskedIm, maskPlane)")
def counts(vector: Vector) -> Outputs:
    mask = vector.array("in_mask")
    return Outputs(scalars={name: masks.count_masked(mask, vector.bits(name)) for name in vector.planes})
