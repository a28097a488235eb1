"""The bleed of a saturated region along the upper and lower edge of its detector."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator

import numpy as np

from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.stage import assembled_detector
from isrflow.kernels.regions import Region
from isrflow.kernels.sensor_masks import EDGE_ROWS, bleeds_at_edge, edge_bleed, find_cores, finite_median
from isrflow.steps.saturated_regions import SaturatedRegionsConfig
from isrflow.steps.step import at_amplifier

log = logging.getLogger(__name__)


class EdgeBleedConfig(SaturatedRegionsConfig):
    """How a bleed is recognised, and its shape."""

    threshold: float = 5000.0
    """How much brighter than its amplifier an edge has to be, in the unit of the exposure."""
    decay_per_row: float = 0.02
    """How fast the bleed narrows: exp(-decay x rows from the edge)."""


def mask_edge_bleed_of(
    region: Region, exposure: Exposure, config: EdgeBleedConfig, *, bad_names: Collection[str] = ()
) -> None:
    """Mask the bleed of one region, of whatever size and sensor, at those edges where it shows, in place.

    Parameters
    ----------
    region
        In array indices of the exposure.
    exposure
        Assembled; SAT is set in its mask.
    config
        Its areas are those of the halves of a region with two cores.
    bad_names
        Amplifiers whose levels of saturation do not count.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.
    """
    detector = assembled_detector(exposure, "the edges are those of assembled detectors")
    image, mask, _ = exposure.planes()
    cores = find_cores(region, config.min_area_px, config.max_area_px)
    if cores is None:
        log.warning(
            "%s: the saturated region at (%.0f, %.0f) has more than two cores, its edge bleed is not masked",
            *(exposure.label, *region.centroid),
        )
        return
    saturation, bits = _saturation_level(exposure, detector, bad_names), mask_bits("SAT")
    for core in cores:
        for rows in _bleeding_edges(exposure, detector, core.x, config.threshold):
            for y, columns in edge_bleed(image[rows], core, saturation, config.decay_per_row):
                mask[rows][y, slice(*columns)] |= bits


def _bleeding_edges(exposure: Exposure, detector: Detector, x: int, threshold: float) -> Iterator[slice]:
    """Yield the rows at those edges that are bright around a column, beginning with the edge."""
    image = exposure.planes()[0]
    for amp in detector.amplifiers:
        if amp.box.x0 <= x < amp.box.x1:
            with at_amplifier(amp.name):
                level = finite_median(exposure.amp(amp).image) + threshold
            yield from (rows for rows in _edges_of(amp, detector) if bleeds_at_edge(image[rows], x, level))


def _edges_of(amp: Amplifier, detector: Detector) -> list[slice]:
    """Return the rows at the edges an amplifier reaches, beginning with the edge, as slices of the whole image."""
    lower = slice(0, EDGE_ROWS) if amp.box.y0 == detector.box.y0 else None
    upper = slice(None, -EDGE_ROWS - 1, -1) if amp.box.y1 == detector.box.y1 else None
    return [rows for rows in (lower, upper) if rows is not None]


def _saturation_level(exposure: Exposure, detector: Detector, bad: Collection[str]) -> float:
    """Return the median saturation level of good amplifiers, in the unit of the exposure; NaN if none is known."""
    levels = []
    for amp in detector.amplifiers:
        gain = amp.gain_electron_per_adu if exposure.unit == "electron" else 1.0
        level = exposure.header.get(f"LSST ISR SATURATION LEVEL {amp.name}", amp.saturation_adu * gain)
        if amp.name not in bad and not math.isnan(float(level)):
            levels.append(float(level))
    return float(np.median(levels)) if levels else math.nan
