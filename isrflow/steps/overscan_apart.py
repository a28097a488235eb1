"""What the two overscans of the newer order, each corrected by a row of its own, have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

from pydantic import Field

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.overscan import overscan_cards
from isrflow.frame.stage import mosaic_detector
from isrflow.kernels.overscan import OverscanFit
from isrflow.kernels.overscan_fit import FitKind
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.exceptions import ExceptionsConfig
from isrflow.steps.overscan_model import OverscanModelConfig
from isrflow.steps.step import at_amplifier

log = logging.getLogger(__name__)


class OverscanApartConfig(ExceptionsConfig, OverscanModelConfig):
    """How one of the overscans is modelled; may differ from amplifier to amplifier."""

    use: bool = True
    """Whether amplifiers are corrected; meant for `exceptions`."""
    fit_type: FitKind = "MEDIAN_PER_ROW"
    """As for `overscan` of the classic order; the lines of a parallel overscan are columns of the picture."""
    as_integers: bool = False
    """Truncate pixels to integers for the statistics per line."""
    skip_leading: int = Field(default=3, ge=0)
    """Pixels of each line next to the picture that are not fitted (they are corrected)."""
    skip_trailing: int = Field(default=3, ge=0)
    """Pixels of each line farthest from the picture that are not fitted."""


ConfigT = TypeVar("ConfigT", bound=OverscanApartConfig)


def correct_amplifiers(
    exposure: Exposure,
    config: ConfigT,
    which: Literal["serial", "parallel"],
    correct: Callable[[Exposure, Amplifier, ConfigT], OverscanFit],
    bad_amplifiers: BadAmplifiers | None,
) -> dict[str, OverscanFit]:
    """Correct the good amplifiers that have the overscan, each under its own settings, and note the fits in the header.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    """
    detector = mosaic_detector(exposure, "its overscan is not known")
    bad = frozenset[str]() if bad_amplifiers is None else bad_amplifiers.names

    def is_usable(amp: Amplifier) -> bool:
        if amp.name in bad or not exposure.box.contains(amp.raw) or not config.at(detector, amp.name).use:
            return False
        box = amp.raw_serial_overscan if which == "serial" else amp.raw_parallel_overscan
        if box.is_empty:
            log.info("%s: amplifier %s has no %s overscan", exposure.label, amp.name, which)
        return not box.is_empty

    def fit(amp: Amplifier) -> OverscanFit:
        with at_amplifier(amp.name):
            return correct(exposure, amp, config.at(detector, amp.name))

    usable = [amp for amp in detector.amplifiers if is_usable(amp)]
    fits = {amp.name: found for amp, found in zip(usable, map_in_threads(fit, usable), strict=True)}
    for name, found in fits.items():
        exposure.header |= overscan_cards(which.upper(), name, found, exposure.unit)
    return fits
