"""Keep what later steps change or throw away: overscans, the raw mosaic, the picture before interpolation."""

from __future__ import annotations

import numpy as np

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.overscan import reads_along_columns, serial_boxes
from isrflow.frame.stage import mosaic_detector
from isrflow.steps.byproducts import KeptOverscan, OverscanFits, OverscanPixels, PreInterpolation, UntrimmedCopy
from isrflow.steps.step import StepConfig, at_amplifier


class CopyConfig(StepConfig):
    """Whether a copy is kept; it costs memory."""

    enabled: bool = False
    """Whether the step is run."""


def keep_overscan(exposure: Exposure, config: CopyConfig, *, overscan: OverscanFits) -> OverscanPixels:  # noqa: ARG001
    """Keep the pixels of the serial overscans, just corrected; the exposure is left untouched.

    Parameters
    ----------
    exposure
        Raw mosaic, right after its overscans were subtracted.
    config
        Nothing to choose.
    overscan
        The models that were subtracted.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.

    Notes
    -----
    No pixel changes its value; copies have the unit of the exposure. With the model added they are as they were read.
    """
    kept = {}
    for amp in mosaic_detector(exposure, "its overscans cannot be kept").amplifiers:
        if amp.name in overscan.amplifiers:
            with at_amplifier(amp.name):
                kept[amp.name] = _kept(exposure, amp, overscan.amplifiers[amp.name].serial.model)
    return OverscanPixels(kept)


def keep_untrimmed(exposure: Exposure, config: CopyConfig) -> UntrimmedCopy:  # noqa: ARG001
    """Keep a copy of the raw mosaic as it is before assembly; the exposure is left untouched.

    Notes
    -----
    No pixel changes its value; costs three planes of memory.
    """
    return UntrimmedCopy(exposure.copy())


def keep_before_interpolation(exposure: Exposure, config: CopyConfig) -> PreInterpolation:  # noqa: ARG001
    """Keep a copy of the picture as it is before bad pixels are replaced; the exposure is left untouched.

    Notes
    -----
    No pixel changes its value; costs three planes of memory.
    """
    return PreInterpolation(exposure.copy())


def _kept(
    exposure: Exposure, amp: Amplifier, model: float | np.ndarray[tuple[int], np.dtype[np.float64]]
) -> KeptOverscan:
    """Copy the lines of an overscan that its model has; with a parallel correction they reach over the corner."""
    along_columns = reads_along_columns(amp)
    box = amp.raw_serial_overscan
    n_lines = box.width if along_columns else box.height
    if not isinstance(model, float) and len(model) != n_lines:
        box = serial_boxes(amp, over_parallel=True)[1]
    residual = exposure.view(box).image
    return KeptOverscan((residual.T if along_columns else residual).copy(), model)
