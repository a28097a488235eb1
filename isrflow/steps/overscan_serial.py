"""Subtract the level of the electronics, row by row, as the serial overscan shows it; first of two in the newer order.

The parallel overscan is corrected along with the picture, so that it can be corrected itself later, when gains and
crosstalk are dealt with.
"""

from __future__ import annotations

import logging

from pydantic import Field

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.overscan import correct_by_overscan, overscan_cards, reads_along_columns, scale_of_adu, serial_boxes
from isrflow.kernels.overscan import OverscanFit, OverscanRules
from isrflow.kernels.overscan_fit import FitKind
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import AmplifierOverscan, BadAmplifiers, OverscanFits
from isrflow.steps.exceptions import ExceptionsConfig
from isrflow.steps.step import at_amplifier

log = logging.getLogger(__name__)


class SerialOverscanConfig(ExceptionsConfig):
    """How the serial overscan is modelled."""

    use: bool = True
    """Whether amplifiers are corrected; meant for `exceptions`."""
    fit_type: FitKind = "MEDIAN_PER_ROW"
    """As for `overscan` of the classic order."""
    order: int = Field(default=1, ge=0)
    """Degree of the polynomial, or number of bins of the spline (below 5 a spline is a constant)."""
    clip_sigma: float = Field(default=3.0, gt=0)
    """Pixels further from the rest than this many standard deviations are left out."""
    mask_planes: tuple[str, ...] = ("BAD", "SAT")
    """Pixels on these planes are left out."""
    as_integers: bool = False
    """Truncate pixels to integers for the statistics per row."""
    max_deviation_adu: float = Field(default=1000.0, gt=0)
    """Pixels further than this from the overscan's median become BAD and are left out."""
    two_sided_deviation: bool = True
    """Whether pixels that far below the median are left out as well."""
    skip_leading: int = Field(default=3, ge=0)
    """Columns next to the picture that are not fitted (they are corrected)."""
    skip_trailing: int = Field(default=3, ge=0)
    """Columns farthest from the picture that are not fitted."""


def subtract_serial_overscan(
    exposure: Exposure, config: SerialOverscanConfig, *, bad_amplifiers: BadAmplifiers | None = None
) -> OverscanFits:
    """Subtract each amplifier's serial overscan from picture and both overscans, in place.

    Parameters
    ----------
    exposure
        Raw mosaic, float32, in adu. Rejected overscan pixels become BAD.
    config
        The model; it may differ from amplifier to amplifier.
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
        If skipping leaves nothing of an overscan.

    Notes
    -----
    ``I(y, x) -= m(y)``, in adu, in picture and overscans; m is fitted to the lines of the serial overscan, which reach
    over the parallel one. The variance is not changed.
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
        exposure.header |= overscan_cards("SERIAL", name, fit, exposure.unit)
    return OverscanFits({name: AmplifierOverscan(fit) for name, fit in fits.items()})


def _fit(exposure: Exposure, amp: Amplifier, config: SerialOverscanConfig) -> OverscanFit | None:
    """Fit and subtract the serial overscan of one amplifier; None if it has none."""
    if amp.raw_serial_overscan.is_empty:
        log.info("%s: amplifier %s has no serial overscan", exposure.label, amp.name)
        return None
    rules = OverscanRules(
        kind=config.fit_type,
        order=config.order,
        n_sigma=config.clip_sigma,
        as_integers=config.as_integers,
        reject_bits=mask_bits(config.mask_planes),
        bad_bit=mask_bits("BAD"),
        max_deviation=config.max_deviation_adu * scale_of_adu(exposure, amp),
        two_sided=config.two_sided_deviation,
    )
    boxes, skips = serial_boxes(amp, over_parallel=True), (config.skip_leading, config.skip_trailing)
    with at_amplifier(amp.name):
        return correct_by_overscan(exposure, amp, boxes, rules, skips, along_columns=reads_along_columns(amp))
