"""Master dark: the clipped mean of bias-corrected dark exposures, each divided by its dark time.

The reference finds cosmic rays by their shape. Here a value counts as one if it stands above the median of its stack by
many times its own noise, which the variance plane knows even where three exposures are too few to clip by scatter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.dark import Dark
from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.layout import Planes
from isrflow.makers.combine import combine, master_info
from isrflow.makers.inputs import MakerConfig, RawSource, Stack, correct_all
from isrflow.makers.recipes import prefix_of
from isrflow.steps.recipe_base import Recipe

_EXCLUDED = ("SAT", "DETECTED", "INTRP", "CR")


def make_dark(
    raws: Sequence[RawSource], recipe: Recipe, calibs: Mapping[str, Calibration], config: MakerConfig | None = None
) -> Dark:
    """Make a master dark of one detector, for one second of dark time.

    Parameters
    ----------
    raws
        Callables that read the raw darks, called once each, one at a time; dark times may differ.
    recipe
        The instrument's recipe; the steps up to bias and linearity are run.
    calibs
        What these steps take: the bias, and a linearizer or crosstalk if the recipe asks for them.
    config
        How to combine.

    Returns
    -------
    Dark
        Image per second in the unit the recipe leaves (adu); owned by the caller.

    Raises
    ------
    UnprocessableError
        If raws are too few, do not belong together or have no dark time; all offenders are listed.
    StepError, MissingCalibrations, CalibrationMismatch
        As `isrflow.run.run_isr` says.
    """
    config = config or MakerConfig()
    bits = mask_bits("CR")

    def clean(planes: Planes) -> None:
        mark_disagreement(planes, config.disagreement_sigma, bits)

    with Stack.open(config.scratch) as stack:
        prefix = prefix_of(recipe, "dark")
        correct_all(stack, raws, prefix, calibs, kind="dark", scale=dark_time, config=config)
        exposure = combine(stack, config, kind="dark", exclude=_EXCLUDED, clean=clean)
    dark = Dark(info=master_info(exposure), exposure=exposure)
    dark.check()
    return dark


def dark_time(exposure: Exposure) -> float:
    """Return the dark time of an exposure (its exposure time if that is all there is); raises `UnprocessableError`."""
    for seconds in (exposure.obs.dark_time_s, exposure.obs.exposure_time_s):
        if math.isfinite(seconds) and seconds > 0:
            return seconds
    raise UnprocessableError(
        f"{exposure.label} has no dark time: dark time {exposure.obs.dark_time_s} s, "
        f"exposure time {exposure.obs.exposure_time_s} s"
    )


def mark_disagreement(planes: Planes, n_sigma: float, bits: int) -> None:
    """Set mask bits where a value is far above the median of its pixel, in units of its noise.

    Parameters
    ----------
    planes
        Image, mask (changed in place) and variance, each (n, rows, nx).
    n_sigma
        Zero marks nothing.
    bits
        The mask value to set.
    """
    images, masks, variances = planes
    if n_sigma <= 0 or len(images) < 3:  # of two values neither can be told to be the wrong one
        return
    middle = np.median(images, axis=0)
    # the noise of a cosmic ray itself would hide it: every value is judged by the usual noise of its pixel
    noise = np.sqrt(np.maximum(np.median(variances, axis=0), 0))
    with np.errstate(invalid="ignore"):
        masks[images - middle > n_sigma * noise] |= np.int32(bits)
