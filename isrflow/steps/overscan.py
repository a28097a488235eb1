"""Subtract the level of the amplifier's electronics, as the overscan beside the picture shows it.

The serial overscan gives one level a row, the parallel overscan, taken from what the serial correction leaves, one a
column. Sensors read out along columns have their serial overscan above or below the picture; there rows and columns
change places.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from isrflow.errors import ConfigError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.overscan import correct_by_overscan, overscan_cards, reads_along_columns, scale_of_adu, serial_boxes
from isrflow.frame.stage import mosaic_detector
from isrflow.kernels.masks import grow_mask, mask_at_least
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import AmplifierOverscan, BadAmplifiers, OverscanFits
from isrflow.steps.overscan_model import OverscanModelConfig
from isrflow.steps.step import at_amplifier

log = logging.getLogger(__name__)


class OverscanConfig(OverscanModelConfig):
    """How the overscan is modelled."""

    parallel: bool = False
    """Whether the parallel overscan is corrected as well."""
    parallel_mask_threshold_adu: float = 100000.0
    """Raw level at which pixels of the parallel overscan are masked as SAT, in all amplifiers alike."""
    parallel_mask_grow_px: int = Field(default=7, ge=0)
    """Growth of that mask."""
    skip_leading_columns: int = Field(default=0, ge=0)
    """Columns of the serial overscan next to the picture that are not fitted (they are corrected)."""
    skip_trailing_columns: int = Field(default=0, ge=0)
    """Columns of the serial overscan farthest from the picture that are not fitted."""
    skip_leading_rows: int = Field(default=0, ge=0)
    """Rows of the parallel overscan next to the picture that are not fitted."""
    skip_trailing_rows: int = Field(default=0, ge=0)
    """Rows of the parallel overscan farthest from the picture that are not fitted."""

    @model_validator(mode="after")
    def _splines_have_bins(self) -> Self:
        if self.fit_type.endswith("SPLINE") and self.order < 1:
            raise ValueError(f"order is the number of bins of a {self.fit_type}: {self.order} is not one")
        return self


def subtract_overscan(
    exposure: Exposure, config: OverscanConfig, *, bad_amplifiers: BadAmplifiers | None = None
) -> OverscanFits:
    """Subtract each amplifier's overscan level from its picture and from the overscan itself, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32. Rejected overscan pixels become BAD; variance and the picture's mask are untouched.
    config
        The model.
    bad_amplifiers
        Amplifiers that are passed over.

    Returns
    -------
    OverscanFits
        The models and the statistics of what is left, also written to ``LSST ISR OVERSCAN ...`` cards.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    ConfigError
        If skipping leaves nothing of an overscan, or the parallel one is wanted and there is none.

    Notes
    -----
    ``I -= model(line)`` in adu (or electron). The model is one number an amplifier (MEAN, MEANCLIP, MEDIAN), one a
    line (MEAN_PER_ROW, MEDIAN_PER_ROW), or a curve through the lines' medians: POLY, CHEB and LEG in the abscissa ``2
    i / n - 1``, or a spline through `order` bins. Pixels in masked planes, and pixels that deviate from the median of
    the overscan by more than the maximum deviation, take no part.
    """
    detector = mosaic_detector(exposure, "its overscan is not known")
    bad = bad_amplifiers.names if bad_amplifiers is not None else frozenset()
    amplifiers = [amp for amp in detector.amplifiers if exposure.box.contains(amp.raw)]
    if config.parallel:
        mask_parallel_overscan(exposure, amplifiers, config)
    for name in sorted(bad):
        log.warning("%s: amplifier %s is bad; its overscan is left alone", exposure.label, name)
    usable = [amp for amp in amplifiers if amp.name not in bad]
    found = map_in_threads(lambda amp: fit_overscan_amp(exposure, amp, config), usable)
    fits = {amp.name: fit for amp, fit in zip(usable, found, strict=True) if fit is not None}
    for name, fit in fits.items():
        write_overscan_cards(exposure, name, fit)
    return OverscanFits(fits)


def subtract_overscan_amp(exposure: Exposure, amp: Amplifier, config: OverscanConfig) -> AmplifierOverscan | None:
    """Do `subtract_overscan` for one amplifier, cards included; None if it has no serial overscan."""
    fit = fit_overscan_amp(exposure, amp, config)
    if fit is not None:
        write_overscan_cards(exposure, amp.name, fit)
    return fit


def fit_overscan_amp(exposure: Exposure, amp: Amplifier, config: OverscanConfig) -> AmplifierOverscan | None:
    """Fit and subtract the overscan of one amplifier, leaving the header alone."""
    if amp.raw_serial_overscan.is_empty:
        log.info("%s: amplifier %s has no serial overscan", exposure.label, amp.name)
        return None
    with at_amplifier(amp.name):
        return _fit_both(exposure, amp, config)


def _fit_both(exposure: Exposure, amp: Amplifier, config: OverscanConfig) -> AmplifierOverscan:
    """Fit and subtract the serial overscan and, if wanted, the parallel one."""
    along_columns, rules = reads_along_columns(amp), config.rules(scale_of_adu(exposure, amp))
    boxes = serial_boxes(amp, over_parallel=config.parallel)
    skips = config.skip_leading_columns, config.skip_trailing_columns
    serial = correct_by_overscan(exposure, amp, boxes, rules, skips, along_columns=along_columns)
    if not config.parallel:
        return AmplifierOverscan(serial)
    if amp.raw_parallel_overscan.is_empty:
        raise ConfigError(
            f"{exposure.label} amplifier {amp.name} has no parallel overscan", fix="set overscan.parallel=false"
        )
    boxes = amp.raw_data, amp.raw_parallel_overscan
    skips = config.skip_leading_rows, config.skip_trailing_rows
    parallel = correct_by_overscan(exposure, amp, boxes, rules, skips, along_columns=not along_columns)
    return AmplifierOverscan(serial, parallel)


def mask_parallel_overscan(exposure: Exposure, amplifiers: Iterable[Amplifier], config: OverscanConfig) -> None:
    """Mark bright pixels of the parallel overscans as SAT, in all amplifiers where one of them is bright.

    A bleeding star in one amplifier disturbs the others in the same clock cycles. Amplifiers whose parallel overscans
    differ in shape do not share their marks.
    """
    sat = mask_bits("SAT")
    views = [exposure.amp(amp, "parallel_overscan") for amp in amplifiers]
    shared: dict[tuple[int, ...], NDArray[np.int32]] = {}
    for view in views:
        image, mask, _ = view.planes()
        mask_at_least(image, config.parallel_mask_threshold_adu, mask, sat)
        grow_mask(mask, config.parallel_mask_grow_px, sat, sat)
        shared[mask.shape] = shared.get(mask.shape, np.zeros_like(mask)) | (mask & sat)
    for view in views:
        _, mask, _ = view.planes()
        mask |= shared[mask.shape]


def write_overscan_cards(exposure: Exposure, name: str, fits: AmplifierOverscan) -> None:
    """Write the statistics of an amplifier's models and of what they left to the header."""
    exposure.header |= overscan_cards("SERIAL", name, fits.serial, exposure.unit)
    if fits.parallel is not None:
        exposure.header |= overscan_cards("PARALLEL", name, fits.parallel, exposure.unit)
