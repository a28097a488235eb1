"""Divide by the flat: the relative response of the pixels."""

from __future__ import annotations

from typing import Literal

from isrflow.calibs.flat import Flat
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import divide_scaled, multiply_scaled
from isrflow.kernels.statistics import mean, median
from isrflow.steps.step import StepConfig


class FlatConfig(StepConfig):
    """How the flat is scaled and laid over the exposure."""

    scaling: Literal["USER", "MEAN", "MEDIAN"] = "USER"
    """What of the flat counts as a response of one: `user_scale`, or the mean or median of its finite pixels."""
    user_scale: float = 1.0
    """Level of a flat that counts as a response of one, for the scaling USER."""
    trim_to_fit: bool = False
    """Allow a flat smaller by the same even number of pixels along x and y; what it does not cover becomes EDGE."""
    no_data_variance: float | None = None
    """Variance of pixels on the plane NO_DATA, whose image becomes 0, after a flat with a valid polygon; None: they are
    left as they are."""
    note_source: bool = False
    """Whether the header notes what light the flat was made with."""


def divide_by_flat(exposure: Exposure, config: FlatConfig, *, flat: Flat, invert: bool = False) -> None:
    """Divide by the flat over its scale, in place; masks are OR-ed, variances follow the quotient rule.

    Parameters
    ----------
    exposure
        float32, trimmed, bias and dark subtracted.
    config
        How the flat is scaled; whether it may be smaller.
    flat
        Left untouched. Its zeros give infinities.
    invert
        Multiply instead. This restores the image to rounding; the variance grows both ways.

    Raises
    ------
    CalibrationMismatch
        If the sizes do not fit.

    Notes
    -----
    ``I /= F / s`` and ``V = (I^2 V_F + F^2 V) s^2 / F^4`` with the image before division; the flat has no unit, ``s``
    is its mean, its median, or the user's number.
    """
    factor = 1.0 / _scale(flat, config)
    part = match_size(exposure, flat.exposure, "flat", trim_to_fit=config.trim_to_fit)
    act = multiply_scaled if invert else divide_scaled
    act(part.planes(), flat.exposure.planes(), factor)
    exposure.header["LSST ISR FLAT APPLIED"] = not invert
    if config.note_source:
        exposure.header["LSST ISR FLAT SOURCE"] = flat.exposure.header.get("FLATSRC", "UNKNOWN")
    if flat.exposure.valid_polygon is not None and config.no_data_variance is not None and not invert:
        exposure.valid_polygon = flat.exposure.valid_polygon
        _empty(exposure, config.no_data_variance)


def _empty(exposure: Exposure, variance_of_none: float) -> None:
    """Give pixels without data the value 0 and a variance that takes their weight."""
    image, mask, variance = exposure.planes()
    without = (mask & mask_bits("NO_DATA")) != 0
    image[without] = 0.0
    variance[without] = variance_of_none


def _scale(flat: Flat, config: FlatConfig) -> float:
    """Return the level that counts as one; the flat's mask is ignored on purpose, as zeros of it are not its pixels."""
    if config.scaling == "USER":
        return config.user_scale
    return (mean if config.scaling == "MEAN" else median)(flat.exposure.image)
