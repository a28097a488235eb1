"""Subtract what the parallel overscan shows, column by column; second of two in the newer order.

It comes after gains and crosstalk, since crosstalk and bleeding stars reach the parallel overscan. Columns that such
charge stands in are left out and bridged by their neighbours.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field, field_validator

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.overscan import correct_by_overscan, overscan_cards, reads_along_columns, scale_of_adu
from isrflow.kernels.masks import grow_mask, mask_at_least
from isrflow.kernels.overscan import OverscanFit, OverscanRules
from isrflow.kernels.overscan_fit import FitKind
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.exceptions import ExceptionsConfig
from isrflow.steps.step import ByProduct, at_amplifier

log = logging.getLogger(__name__)


class ParallelOverscanConfig(ExceptionsConfig):
    """How the parallel overscan is modelled, and how charge in it is recognised."""

    use: bool = True
    """Whether amplifiers are corrected; meant for `exceptions`."""
    fit_type: FitKind = "MEDIAN_PER_ROW"
    """As for `overscan` of the classic order; a row of the model is a column of the picture."""
    order: int = Field(default=1, ge=0)
    """Degree of the polynomial, or number of bins of the spline (below 5 a spline is a constant)."""
    clip_sigma: float = Field(default=3.0, gt=0)
    """Pixels further from the rest than this many standard deviations are left out."""
    mask_planes: tuple[str, ...] = ("BAD", "SAT")
    """Pixels on these planes are left out."""
    as_integers: bool = False
    """Truncate pixels to integers for the statistics per column."""
    max_deviation_adu: float = Field(default=100.0, gt=0)
    """Pixels further than this above the overscan's median become BAD and are left out."""
    two_sided_deviation: bool = False
    """Whether pixels that far below the median are left out as well."""
    skip_leading: int = Field(default=3, ge=0)
    """Rows next to the picture that are not fitted (they are corrected)."""
    skip_trailing: int = Field(default=3, ge=0)
    """Rows farthest from the picture that are not fitted."""
    mask_saturated: bool = True
    """Whether bright pixels of the parallel overscan are marked as SAT first."""
    saturation_factor: float = 0.75
    """They are bright at this part of the saturation level ..."""
    saturation_level_adu: float = 20000.0
    """... or at this level where none is known."""
    grow_saturated_px: int = Field(default=7, ge=0)
    """Growth of that mask (diamond)."""
    grow_bad_columns_px: int = Field(default=2, ge=0)
    """Growth of columns that are left out as a whole."""
    flood_fraction: float = 0.5
    """Nothing is subtracted if the overscan is brighter than this part of a bright picture."""
    flood_level: float = 10000.0
    """Median from which a picture is bright, in its own unit."""
    reject_bright_columns: bool = True
    """Whether columns that stand out among their neighbours are left out."""
    smoothing_columns: int = Field(default=5, ge=1)
    """Odd number of neighbours whose median they are compared with."""
    smoothing_threshold_adu: float = Field(default=5.0, gt=0)
    """They stand out this far above it."""

    @field_validator("smoothing_columns")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("an odd number is needed")
        return value


@dataclass(frozen=True, slots=True)
class ParallelOverscanFits(ByProduct):
    """The fits of the parallel overscans by amplifier name; amplifiers without one, or passed over, are absent."""

    amplifiers: Mapping[str, OverscanFit]


def subtract_parallel_overscan(
    exposure: Exposure, config: ParallelOverscanConfig, *, bad_amplifiers: BadAmplifiers | None = None
) -> ParallelOverscanFits:
    """Subtract each amplifier's parallel overscan from its picture and from the overscan, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, serial overscan subtracted; adu or electron. Left-out pixels become SAT or BAD.
    config
        The model; it may differ from amplifier to amplifier.
    bad_amplifiers
        Amplifiers that are passed over.

    Returns
    -------
    ParallelOverscanFits
        The models and the statistics of what is left, also written to ``LSST ISR OVERSCAN ...`` cards.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    ConfigError
        If skipping leaves nothing of an overscan.

    Notes
    -----
    ``I(y, x) -= m(x)`` in picture and parallel overscan, in the unit of the exposure. Left out are pixels at saturation
    (grown), columns that stand `smoothing_threshold_adu` above the running median of the columns (grown), and pixels
    `max_deviation_adu` above the median. The variance is not changed.
    """
    if exposure.detector is None or exposure.is_trimmed:
        state = "has no detector" if exposure.detector is None else "is trimmed already"
        raise GeometryError(f"{exposure.label} {state}: its overscan is not known")
    bad = frozenset[str]() if bad_amplifiers is None else bad_amplifiers.names
    usable = [
        amp
        for amp in exposure.detector.amplifiers
        if amp.name not in bad and exposure.box.contains(amp.raw) and config.at(exposure.detector, amp.name).use
    ]
    found = map_in_threads(lambda amp: _fit(exposure, amp, config.at(exposure.detector, amp.name)), usable)
    fits = {amp.name: fit for amp, fit in zip(usable, found, strict=True) if fit is not None}
    for name, fit in fits.items():
        exposure.header |= overscan_cards("PARALLEL", name, fit, exposure.unit)
    return ParallelOverscanFits(fits)


def _fit(exposure: Exposure, amp: Amplifier, config: ParallelOverscanConfig) -> OverscanFit | None:
    """Mask, fit and subtract the parallel overscan of one amplifier; None if it has none."""
    if amp.raw_parallel_overscan.is_empty:
        log.info("%s: amplifier %s has no parallel overscan", exposure.label, amp.name)
        return None
    with at_amplifier(amp.name):
        scale = scale_of_adu(exposure, amp)
        if config.mask_saturated:
            _mask_charge(exposure, amp, config, scale)
        boxes, skips = (amp.raw_data, amp.raw_parallel_overscan), (config.skip_leading, config.skip_trailing)
        rules, along_columns = _rules(config, scale), not reads_along_columns(amp)
        return correct_by_overscan(exposure, amp, boxes, rules, skips, along_columns=along_columns)


def _mask_charge(exposure: Exposure, amp: Amplifier, config: ParallelOverscanConfig, scale: float) -> None:
    """Mark what is bright in the parallel overscan, and its surroundings, as SAT."""
    noted = exposure.header.get(f"LSST ISR SATURATION LEVEL {amp.name}")
    level = config.saturation_level_adu * scale if noted is None else noted * config.saturation_factor
    image, mask, _ = exposure.amp(amp, "parallel_overscan").planes()
    saturated = mask_bits("SAT")
    mask_at_least(image, level, mask, saturated)
    grow_mask(mask, config.grow_saturated_px, saturated, saturated)


def _rules(config: ParallelOverscanConfig, scale: float) -> OverscanRules:
    """Turn the settings into those of the kernel; the flood level alone is not scaled, as in the reference."""
    smooth = config.reject_bright_columns
    return OverscanRules(
        kind=config.fit_type,
        order=config.order,
        n_sigma=config.clip_sigma,
        as_integers=config.as_integers,
        reject_bits=mask_bits(config.mask_planes),
        bad_bit=mask_bits("BAD"),
        max_deviation=config.max_deviation_adu * scale,
        two_sided=config.two_sided_deviation,
        smoothing_kernel=config.smoothing_columns if smooth else 0,
        smoothing_threshold=config.smoothing_threshold_adu * scale if smooth else math.inf,
        grow_bad_lines=config.grow_bad_columns_px,
        flood_fraction=config.flood_fraction,
        flood_level=config.flood_level,
    )
