"""Masks of E2V and ITL sensors."""

from __future__ import annotations

import re

import numpy as np

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.steps.sensor_masks import (
    E2vEdgeBleedConfig,
    ItlDipConfig,
    ItlSaturationConfig,
    mask_e2v_edge_bleed,
    mask_itl_dip,
    mask_itl_saturation,
)
from tests.vectors.geometry import detector, exposure
from tests.vectors.harness import Outputs, Vector, covers

NAMES_AND_PLACES = "Rows of amplifiers by name"


@covers("isrFunctions.maskE2VEdgeBleed(*")
def e2v_edge_bleed(vector: Vector) -> Outputs:
    picture = exposure(vector, in_detector=False)
    picture.detector = sensor(vector, picture, "E2V")
    low, high, height = numbers(vector, "e2vEdgeBleedSatMinArea", "e2vEdgeBleedSatMaxArea", "e2vEdgeBleedYMax")
    config = E2vEdgeBleedConfig(min_area_px=int(low), max_area_px=int(high), height_px=int(height))
    named = {amp.name for amp in picture.detector.amplifiers if amp.name.startswith("C0")}
    placed = {amp.name for amp in picture.detector.amplifiers if amp.box.y0 == 0}
    return masked(vector, picture, lambda: mask_e2v_edge_bleed(picture, config), agree=named == placed)


@covers("isrFunctions.maskITLEdgeBleed(*")
def itl_edge_bleed(vector: Vector) -> Outputs:
    picture = itl_picture(vector)
    low, high, threshold, constant = numbers(
        vector,
        "itlEdgeBleedSatMinArea",
        "itlEdgeBleedSatMaxArea",
        "itlEdgeBleedThreshold",
        "itlEdgeBleedModelConstant",
    )
    config = ItlSaturationConfig(
        mask_sag=False, min_area_px=int(low), max_area_px=int(high), threshold=threshold, decay_per_row=constant
    )
    top = picture.detector.box.y1
    agree = all(
        (amp.box.y0 == 0 if amp.name.startswith("C1") else amp.box.y1 == top) for amp in picture.detector.amplifiers
    )
    return masked(vector, picture, lambda: mask_itl_saturation(picture, config), agree=agree)


@covers("isrFunctions.maskITLSatSag(*")
def itl_sag(vector: Vector) -> Outputs:
    picture = itl_picture(vector)
    config = ItlSaturationConfig(mask_edge_bleed=False, min_area_px=1, max_area_px=picture.image.size + 1)
    return masked(vector, picture, lambda: mask_itl_saturation(picture, config))


@covers("isrFunctions.maskITLDip(*")
def itl_dip(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=False)
    picture.detector = sensor(vector, picture, "ITL")
    config = ItlDipConfig(
        background_fraction=params["itlDipBackgroundFraction"],
        min_height_px=params["itlDipMinHeight"],
        min_width_px=params["itlDipMinWidth"],
        max_width_px=params["itlDipMaxWidth"],
        width_scale=params["itlDipWidthScale"],
        min_background_noise_fraction=params["itlDipMinBackgroundNoiseFraction"],
        max_columns=params["itlDipMaxColsPerImage"],
        planes=tuple(params.get("itlDipMaskPlanes", ("SUSPECT", "ITL_DIP"))),
    )
    return masked(vector, picture, lambda: mask_itl_dip(picture, config))


def masked(vector: Vector, picture: Exposure, mask, *, agree: bool = True) -> Outputs:
    before = picture.mask.copy()
    mask()
    scalars = {"nChanged": int(np.count_nonzero(before != picture.mask))}
    differs = {} if agree else {"out_mask": NAMES_AND_PLACES, "nChanged": NAMES_AND_PLACES}
    return Outputs(scalars=scalars, differs=differs, out_mask=picture.mask)


def itl_picture(vector: Vector) -> Exposure:
    picture = exposure(vector, in_detector=False)
    picture.detector = sensor(vector, picture, "ITL")
    levels = {amp.name: vector.params["satLevel"] for amp in picture.detector.amplifiers}
    picture.header = {f"LSST ISR SATURATION LEVEL {name}": level for name, level in levels.items()}
    return picture


def sensor(vector: Vector, picture: Exposure, maker: str) -> Detector:
    """The detector of a vector, or one amplifier of the picture's size where it names none."""
    if "geometry" in vector.params:
        return detector(vector.params, physical_type=maker)
    whole = (0, 0, *picture.image.shape[::-1])
    amp = Amplifier(name="A", box=whole, raw=whole, raw_data=whole)
    return Detector(id=0, name="D", box=whole, amplifiers=(amp,), physical_type=maker)


def numbers(vector: Vector, *names: str) -> list[float]:
    """Settings by name, or in their order from the call as the vector spells it."""
    if all(name in vector.params for name in names):
        return [float(vector.params[name]) for name in names]
    arguments = re.findall(r"[-\d.]+(?=\s*[,)])", vector.function.partition("(")[2])
    return [float(text) for text in arguments[-len(names) :]]
