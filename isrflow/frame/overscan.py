"""Overscans as parts of a raw exposure: where they lie, how they are corrected, and what is noted about that."""

from __future__ import annotations

import logging
import math
from typing import Any

from isrflow.errors import ConfigError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.kernels.overscan import OverscanFit, OverscanRules, correct_overscan

log = logging.getLogger(__name__)


def reads_along_columns(amp: Amplifier) -> bool:
    """Tell whether the serial overscan lies above or below the picture instead of beside it."""
    if amp.raw_serial_overscan.is_empty:
        return False
    return amp.raw_serial_overscan.y0 >= amp.raw_data.y1 or amp.raw_serial_overscan.y1 <= amp.raw_data.y0


def serial_boxes(amp: Amplifier, *, over_parallel: bool) -> tuple[Box, Box]:
    """Return what the serial overscan corrects, and itself; both reach over the parallel overscan if so wanted."""
    picture, overscan = amp.raw_data, amp.raw_serial_overscan
    if not over_parallel:
        return picture, overscan
    picture = picture.union(amp.raw_parallel_overscan)
    if reads_along_columns(amp):
        y0 = picture.y1 if overscan.y0 >= amp.raw_data.y1 else overscan.y0
        return picture, Box(picture.x0, y0, picture.width, overscan.height)
    return picture, Box(overscan.x0, picture.y0, overscan.width, picture.height)


def correct_by_overscan(
    exposure: Exposure,
    amp: Amplifier,
    boxes: tuple[Box, Box],
    rules: OverscanRules,
    skips: tuple[int, int],
    *,
    along_columns: bool,
) -> OverscanFit:
    """Fit one overscan of a raw exposure, and subtract the model from it and from the picture, in place.

    Parameters
    ----------
    exposure
        float32; rejected overscan pixels become BAD.
    amp
        Named in messages.
    boxes
        What is corrected, and the overscan.
    rules
        The model, levels in the unit of the exposure.
    skips
        Lines of the overscan that are not fitted: next to the picture, and farthest from it.
    along_columns
        Whether the model has one value a column (else one a row).

    Raises
    ------
    ConfigError
        If skipping leaves nothing.
    """
    picture, overscan = boxes
    image = exposure.view(picture).planes()[0]
    pixels, mask, _ = exposure.view(overscan).planes()
    if along_columns:
        image, pixels, mask = image.T, pixels.T, mask.T
        leads = picture.y0 < overscan.y0
    else:
        leads = picture.x0 < overscan.x0
    first, last = skips if leads else skips[::-1]
    if first + last >= pixels.shape[1]:
        raise ConfigError(f"overscan {overscan.section()}: skipping {first} + {last} lines leaves nothing to fit")
    fit = correct_overscan(image, pixels, mask, rules, slice(first, pixels.shape[1] - last))
    if fit.skipped:
        log.warning("%s: amplifier %s: nothing was subtracted: %s", exposure.label, amp.name, fit.skipped)
    return fit


def scale_of_adu(exposure: Exposure, amp: Amplifier) -> float:
    """Return what levels in adu have to be multiplied by to be those of an amplifier's pixels."""
    if exposure.unit == "adu":
        return 1.0
    gain = float(exposure.header.get(f"LSST ISR GAIN {amp.name}", amp.gain_electron_per_adu))
    return gain if math.isfinite(gain) else 1.0


def overscan_cards(direction: str, name: str, fit: OverscanFit, unit: str) -> dict[str, Any]:
    """Return the cards about an amplifier's SERIAL or PARALLEL model and what it left."""
    start = "LSST ISR OVERSCAN"
    return {
        f"{start} {direction} UNITS": unit,
        f"{start} {direction} MEAN {name}": fit.mean,
        f"{start} {direction} MEDIAN {name}": fit.median,
        f"{start} {direction} STDEV {name}": fit.sigma,
        f"{start} RESIDUAL {direction} MEAN {name}": fit.residual_mean,
        f"{start} RESIDUAL {direction} MEDIAN {name}": fit.residual_median,
        f"{start} RESIDUAL {direction} STDEV {name}": fit.residual_sigma,
        "OVERSCAN": "Overscan corrected",
    }
