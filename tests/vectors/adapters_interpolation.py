"""Row interpolation, bad regions and defect masks."""

from __future__ import annotations

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.frame.mask import mask_bits
from isrflow.kernels.rows import interpolate_rows
from isrflow.kernels.statistics import clip
from isrflow.steps.bad_regions import BadRegionsConfig, fill_bad_regions
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked
from tests.vectors.geometry import box, exposure, planes
from tests.vectors.harness import Outputs, Vector, covers


def _interpolate_boxes(vector: Vector, boxes: list[list[int]]) -> Outputs:
    picture, fallback = exposure(vector, in_detector=False), vector.params["fallbackValue"]
    if fallback is None:
        fallback = clip(picture.image).mean
    bad = np.zeros(picture.image.shape, np.int32)
    for each in boxes:
        bad[box(each).intersect(picture.box).slices()] = 1
    bit = mask_bits("INTRP")
    interpolate_rows(picture.image, picture.variance, bad, bits=1, interpolated_bit=bit, fallback=fallback)
    picture.mask |= bad & bit
    return Outputs(**planes(picture, vector))


@covers("isrFunctions.interpolateDefectList(*")
def defects_interpolated(vector: Vector) -> Outputs:
    return _interpolate_boxes(vector, vector.params["defectBoxes_normalized"])


@covers("lsst.meas.algorithms.interpolateOverDefects(*")
def defects_interpolated_directly(vector: Vector) -> Outputs:
    return _interpolate_boxes(vector, vector.params["boxes"])


@covers("isrFunctions.interpolateFromMask(*")
def masked_interpolated(vector: Vector) -> Outputs:
    picture, params = exposure(vector, in_detector=False), vector.params
    config = InterpolationConfig(
        planes=tuple(params["maskNameList"]), grow_saturated_px=params["growSaturatedFootprints"]
    )
    interpolate_masked(picture, config)
    return Outputs(**planes(picture, vector))


@covers("isrFunctions.setBadRegions(*")
def bad_regions(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    found = fill_bad_regions(picture, BadRegionsConfig(statistic=vector.params["badStatistic"]))
    return Outputs(scalars={"badPixelCount": found.n_pixels, "badPixelValue": found.level}, **planes(picture, vector))


@covers("Defects.maskPixels(mask, 'BAD')")
def defects_masked(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    defects = Defects(boxes=tuple(box(each) for each in vector.params["boxes_in"])).normalised()
    mask_defects(picture, DefectsConfig(), defects=defects)
    boxes = [[each.x0, each.y0, each.width, each.height] for each in defects.boxes]
    return Outputs(scalars={"normalized": boxes, "len": len(boxes)}, **planes(picture, vector))
