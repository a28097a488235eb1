"""Subtract the level of the electronics, row by row, as the serial overscan shows it; first of two in the newer order.

The parallel overscan is corrected along with the picture, so that it can be corrected itself later, when gains and
crosstalk are dealt with.
"""

from __future__ import annotations

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.overscan import correct_by_overscan, reads_along_columns, scale_of_adu, serial_boxes
from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.byproducts import AmplifierOverscan, BadAmplifiers, OverscanFits
from isrflow.steps.overscan_apart import OverscanApartConfig, correct_amplifiers


class SerialOverscanConfig(OverscanApartConfig):
    """How the serial overscan is modelled."""


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
    fits = correct_amplifiers(exposure, config, "serial", _fit, bad_amplifiers)
    return OverscanFits({name: AmplifierOverscan(fit) for name, fit in fits.items()})


def _fit(exposure: Exposure, amp: Amplifier, config: SerialOverscanConfig) -> OverscanFit:
    """Fit and subtract the serial overscan of one amplifier."""
    rules = config.rules(scale_of_adu(exposure, amp))
    boxes, skips = serial_boxes(amp, over_parallel=True), (config.skip_leading, config.skip_trailing)
    return correct_by_overscan(exposure, amp, boxes, rules, skips, along_columns=reads_along_columns(amp))
