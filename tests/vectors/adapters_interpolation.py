"""Row interpolation, bad regions and defect masks."""

from __future__ import annotations

import numpy as np

from isrflow.calibs.defects import Defects
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.rows import interpolate_rows
from isrflow.kernels.statistics import clip
from isrflow.steps.bad_regions import BadRegionsConfig, fill_bad_regions
from isrflow.steps.defects import DefectsConfig, mask_defects
from isrflow.steps.interpolation import InterpolationConfig, interpolate_masked
from tests.vectors.geometry import box, exposure, planes
from tests.vectors.harness import Outputs, Vector, Where, covers

TWO = "Two bad pixels between other runs"


def differences(bad: np.ndarray, picture: Exposure) -> dict[str, Where]:
    """The runs of bad pixels that we treat otherwise on purpose, for image and variance."""
    found: dict[str, Where] = {}
    for plane in ("image", "variance"):
        for heading, pixels in _treated_otherwise(bad, getattr(picture, plane)).items():
            found[f"out_{plane}"] = Where(heading, pixels)
    return found


def _treated_otherwise(bad: np.ndarray, ours: np.ndarray) -> dict[str, np.ndarray]:
    """Heading in docs/compatibility.md to pixels; the last heading names all of them."""
    pixels, heading = np.zeros(bad.shape, bool), ""
    for y, row in enumerate(bad):
        edges = np.diff(np.r_[0, row.astype(int), 0])
        runs = list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1, strict=True))
        for i, (first, last) in enumerate(runs):
            before = i > 0 and runs[i - 1][1] == first - 2
            after = i + 1 < len(runs) and runs[i + 1][0] == last + 2
            reason = _reason(row.size, first, last, before, after)
            if before or first == 1:
                reason = reason or _beside_nothing(ours[y], first, last, after)
            here = slice(first, last + 1)
            if reason and (reason != TWO or ours[y, here].min() < 0):
                pixels[y, here], heading = True, reason
            if before and last == row.size - 1 and pixels[y, first - 2]:
                pixels[y, here] = True  # a run at the right edge looks at the end of the one before
    return {heading: pixels} if heading else {}


def _beside_nothing(row: np.ndarray, first: int, last: int, after: bool) -> str:
    """Whether a neighbour of a long run, which has no second one on the left, is not a number."""
    near = row[[first - 1, *range(last + 1, min(last + 3 - after, row.size))]]
    alone = last - first >= 10 and last < row.size - 1 and not np.isfinite(near).all()
    return "Neighbours that are not numbers beside long runs" if alone else ""


def _reason(width: int, first: int, last: int, before: bool, after: bool) -> str:
    length = last - first + 1
    if length == 7 and (first == 0 or last == width - 1):
        return "Seven bad pixels at an edge"
    if first == 0 and length > 7 and last == width - 2:
        return "Seven bad pixels at an edge"
    if first == 1 and length < 11 and after:
        return "One good pixel between a run at the second column and the next run"
    if length == 2 and before and (after or last == width - 2):
        return TWO
    return ""


def _interpolate_boxes(vector: Vector, boxes: list[list[int]]) -> Outputs:
    picture, fallback = exposure(vector, in_detector=False), vector.params.get("fallbackValue")
    if fallback is None:
        fallback = clip(picture.image).mean
    bad = np.zeros(picture.image.shape, np.int32)
    for each in boxes:
        bad[box(each).intersect(picture.box).slices()] = 1
    bit = mask_bits("INTRP")
    interpolate_rows(picture.image, picture.variance, bad, bits=1, interpolated_bit=bit, fallback=fallback)
    picture.mask |= bad & bit
    return Outputs(differs=differences(bad != 0, picture), **planes(picture, vector))


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
    bad = (picture.mask & mask_bits(config.planes)) != 0
    return Outputs(differs=differences(bad, picture), **planes(picture, vector))


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
