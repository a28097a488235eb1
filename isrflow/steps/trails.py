"""Widen the marks of saturation trails, which spill sideways when they are wide."""

from __future__ import annotations

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.masks import widen_trails
from isrflow.steps.step import StepConfig


class TrailsConfig(StepConfig):
    """Settings of the widening: there are none."""


def widen_saturation_trails(exposure: Exposure, config: TrailsConfig) -> None:  # noqa: ARG001
    """Lengthen horizontal runs of more than five SAT pixels at both ends, in place.

    Runs of 6 or 7 pixels gain one at each end, of 8 or 9 three, longer ones four.

    Notes
    -----
    No pixel changes its value; lengths are in pixels along x, whatever the direction in which charge bleeds.
    """
    widen_trails(exposure.planes()[1], mask_bits("SAT"))
