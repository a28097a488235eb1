"""Masks of E2V and ITL sensors."""

from __future__ import annotations

import re

import numpy as np

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.regions import find_regions
from isrflow.steps.edge_bleed import mask_edge_bleed_of
from isrflow.steps.sensor_masks import (
    E2vEdgeBleedConfig,
    ItlDipConfig,
    ItlSaturationConfig,
    mask_e2v_edge_bleed,
    mask_itl_dip,
    mask_itl_saturation,
)
from tests.vectors.geometry import detector, exposure
from tests.vectors.harness import Outputs, Vector, covers, number_or_none

NAMES_AND_PLACES = "Rows of amplifiers by name"
NOT_NUMBERS = "Saturated regions in pictures with pixels that are no numbers"
DEFAULTS = {
    "e2vEdgeBleedSatMinArea": 10000,
    "e2vEdgeBleedSatMaxArea": 100000,
    "e2vEdgeBleedYMax": 350,
    "itlEdgeBleedSatMinArea": 10000,
    "itlEdgeBleedSatMaxArea": 100000,
    "itlEdgeBleedThreshold": 5000.0,
    "itlEdgeBleedModelConstant": 0.02,
}
DIP_SETTINGS = {
    "itlDipBackgroundFraction": "background_fraction",
    "itlDipMinHeight": "min_height_px",
    "itlDipMinWidth": "min_width_px",
    "itlDipMaxWidth": "max_width_px",
    "itlDipWidthScale": "width_scale",
    "itlDipMinBackgroundNoiseFraction": "min_background_noise_fraction",
    "itlDipMaxColsPerImage": "max_columns",
    "itlDipMaskPlanes": "planes",
}


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
    """The reference's function is given a region, whose size its caller has looked at."""
    picture = itl_picture(vector)
    low, high, threshold, constant = numbers(
        vector,
        "itlEdgeBleedSatMinArea",
        "itlEdgeBleedSatMaxArea",
        "itlEdgeBleedThreshold",
        "itlEdgeBleedModelConstant",
    )
    config = ItlSaturationConfig(
        min_area_px=int(low), max_area_px=int(high), threshold=threshold, decay_per_row=constant
    )
    bad = [name for name, is_bad in (vector.params.get("badAmpDict") or {}).items() if is_bad]

    def mask() -> None:
        for region in list(find_regions(picture.mask, mask_bits("SAT"))):
            mask_edge_bleed_of(region, picture, config, bad_names=bad)

    top = picture.detector.box.y1
    agree = all(
        (amp.box.y0 == 0 if amp.name.startswith("C1") else amp.box.y1 == top) for amp in picture.detector.amplifiers
    )
    return masked(vector, picture, mask, agree=agree)


@covers("isrFunctions.maskITLSatSag(*")
def itl_sag(vector: Vector) -> Outputs:
    picture = itl_picture(vector)
    config = ItlSaturationConfig(mask_edge_bleed=False, min_area_px=1, max_area_px=picture.image.size + 1)
    return masked(vector, picture, lambda: mask_itl_saturation(picture, config))


@covers("isrFunctions.maskITLDip(*")
def itl_dip(vector: Vector) -> Outputs:
    params, picture = vector.params, exposure(vector, in_detector=False)
    picture.detector = sensor(vector, picture, "ITL")
    stated = {field: params[name] for name, field in DIP_SETTINGS.items() if name in params}
    if "planes" in stated:
        stated["planes"] = tuple(stated["planes"])
    config = ItlDipConfig(**stated)
    return masked(vector, picture, lambda: mask_itl_dip(picture, config))


def masked(vector: Vector, picture: Exposure, mask, *, agree: bool = True) -> Outputs:
    before = picture.mask.copy()
    mask()
    scalars = {"nChanged": int(np.count_nonzero(before != picture.mask))}
    heading = None if agree else NAMES_AND_PLACES
    if np.isnan(picture.image).any():
        heading = NOT_NUMBERS
    differs = {} if heading is None else dict.fromkeys(("out_mask", "nChanged"), heading)
    return Outputs(scalars=scalars, differs=differs, out_mask=picture.mask)


def itl_picture(vector: Vector) -> Exposure:
    picture = exposure(vector, in_detector=False)
    picture.detector = sensor(vector, picture, "ITL")
    stated = vector.params.get("satLevel")
    names = [amp.name for amp in picture.detector.amplifiers]
    levels = stated if isinstance(stated, dict) else dict.fromkeys(names, stated)
    levels = {name: number_or_none(level) for name, level in levels.items() if level is not None}
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
    """Settings by name; else in their order from the call as the vector spells it; else the reference's defaults."""
    arguments = re.findall(r"[-\d.]+(?=\s*[,)])", vector.function.partition("(")[2])[-len(names) :]
    positional = dict(zip(names, arguments, strict=False))
    return [float(vector.params.get(name, positional.get(name, DEFAULTS[name]))) for name in names]
