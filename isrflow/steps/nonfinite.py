"""Mark pixels whose value or variance is not a number."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels import masks
from isrflow.steps.step import ByProduct, StepConfig

log = logging.getLogger(__name__)


class NonfiniteConfig(StepConfig):
    """Settings of the search: there are none."""


@dataclass(frozen=True, slots=True)
class NonfinitePixels(ByProduct):
    """How many pixels were not finite."""

    count: int


def mask_nonfinite(exposure: Exposure, config: NonfiniteConfig) -> NonfinitePixels:  # noqa: ARG001
    """Mark pixels whose image or variance is NaN or infinite as UNMASKEDNAN, in place, and count them.

    Pixels that were masked for another reason are marked and counted as well.

    Notes
    -----
    No pixel changes its value; UNMASKEDNAN is set where ``I`` or ``V`` is not finite.
    """
    image, mask, variance = exposure.planes()
    count = masks.mask_nonfinite(image, variance, mask, mask_bits("UNMASKEDNAN"))
    if count:
        log.warning("%s: %d pixels are not finite", exposure.label, count)
    return NonfinitePixels(count)
