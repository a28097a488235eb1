"""Subtract what the parallel overscan shows, column by column; second of two in the newer order.

It comes after gains and crosstalk, since crosstalk and bleeding stars reach the parallel overscan. Columns that such
charge stands in are left out and bridged by their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field, field_validator

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.overscan import correct_by_overscan, reads_along_columns, scale_of_adu
from isrflow.kernels.masks import grow_mask, mask_at_least
from isrflow.kernels.overscan import OverscanFit, OverscanRules
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.overscan_apart import OverscanApartConfig, correct_amplifiers
from isrflow.steps.step import ByProduct


class ParallelOverscanConfig(OverscanApartConfig):
    """How the parallel overscan is modelled, and how charge in it is recognised."""

    max_deviation_adu: float = Field(default=100.0, gt=0)
    """Pixels further than this above the overscan's median become BAD and are left out."""
    two_sided_deviation: bool = False
    """Whether pixels that far below the median are left out as well."""
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

    def rules(self, scale: float) -> OverscanRules:
        """Return the settings of the kernel; the flood level alone is not scaled, as in the reference."""
        return replace(
            super().rules(scale),
            smoothing_kernel=self.smoothing_columns if self.reject_bright_columns else 0,
            smoothing_threshold=self.smoothing_threshold_adu * scale if self.reject_bright_columns else math.inf,
            grow_bad_lines=self.grow_bad_columns_px,
            flood_fraction=self.flood_fraction,
            flood_level=self.flood_level,
        )


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
    return ParallelOverscanFits(correct_amplifiers(exposure, config, "parallel", _fit, bad_amplifiers))


def _fit(exposure: Exposure, amp: Amplifier, config: ParallelOverscanConfig) -> OverscanFit:
    """Mask, fit and subtract the parallel overscan of one amplifier."""
    scale = scale_of_adu(exposure, amp)
    if config.mask_saturated:
        _mask_charge(exposure, amp, config, scale)
    boxes, skips = (amp.raw_data, amp.raw_parallel_overscan), (config.skip_leading, config.skip_trailing)
    along_columns = not reads_along_columns(amp)
    return correct_by_overscan(exposure, amp, boxes, config.rules(scale), skips, along_columns=along_columns)


def _mask_charge(exposure: Exposure, amp: Amplifier, config: ParallelOverscanConfig, scale: float) -> None:
    """Mark what is bright in the parallel overscan, and its surroundings, as SAT."""
    noted = exposure.header.get(f"LSST ISR SATURATION LEVEL {amp.name}")
    level = config.saturation_level_adu * scale if noted is None else noted * config.saturation_factor
    image, mask, _ = exposure.amp(amp, "parallel_overscan").planes()
    saturated = mask_bits("SAT")
    mask_at_least(image, level, mask, saturated)
    grow_mask(mask, config.grow_saturated_px, saturated, saturated)
