"""Subtract the bias: the level and pattern of an exposure without light or time."""

from __future__ import annotations

from isrflow.calibs.bias import Bias
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import add_scaled
from isrflow.steps.step import StepConfig


class BiasConfig(StepConfig):
    """How the bias is laid over the exposure."""

    trim_to_fit: bool = False
    """Allow a bias smaller by the same even number of pixels along x and y; what it does not cover becomes EDGE."""


def subtract_bias(exposure: Exposure, config: BiasConfig, *, bias: Bias) -> None:
    """Subtract the bias, in place; its variance is added and its mask OR-ed in.

    Parameters
    ----------
    exposure
        float32, overscan subtracted, in the unit of the bias: raw mosaic or trimmed, as the bias is.
    config
        Whether the bias may be smaller.
    bias
        Left untouched.

    Raises
    ------
    CalibrationMismatch
        If the sizes do not fit.

    Notes
    -----
    ``I -= B`` and ``V += V_B``, masks OR-ed; image in adu (or electron), variance in that squared.
    """
    part = match_size(exposure, bias.exposure, "bias", trim_to_fit=config.trim_to_fit)
    add_scaled(part.planes(), bias.exposure.planes(), -1.0)
    exposure.header["LSST ISR BIAS APPLIED"] = True
