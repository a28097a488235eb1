"""Set a rough photometric zero point from filter and exposure time."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field

from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import UNKNOWN_FILTER
from isrflow.frame.zero_point import ZeroPoint
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_MAG_28 = 10 ** (0.4 * 28)


class ZeroPointConfig(StepConfig):
    """Counts a second from a source of magnitude zero."""

    counts_per_s_at_mag0: dict[str, Rate] = Field(default_factory=lambda: {UNKNOWN_FILTER: _MAG_28})
    """By physical filter."""
    default_counts_per_s_at_mag0: Rate = _MAG_28
    """Through a filter the table does not name."""


def set_zero_point(exposure: Exposure, config: ZeroPointConfig) -> None:
    """Set the zero point of the exposure from its filter and exposure time; pixels are untouched.

    An exposure whose time is not positive keeps the zero point it has.

    Parameters
    ----------
    exposure
        Its `zero_point` is set.
    config
        What the telescope and camera collect.

    Notes
    -----
    ``counts at magnitude 0 = counts a second * exposure time``, in the unit of the picture (the table's); one count is
    ``3.6307805477010024e12 nJy`` over that. Stored as FLUXMAG0.
    """
    seconds = exposure.obs.exposure_time_s
    if not seconds > 0:
        level = logging.DEBUG if seconds == 0 else logging.WARNING
        log.log(level, "%s: an exposure time of %s s gives no zero point", exposure.label, seconds)
        return
    name = exposure.obs.filter_name
    if name not in config.counts_per_s_at_mag0:
        log.info("%s: no zero point for filter %s; the default is used", exposure.label, name)
    rate = config.counts_per_s_at_mag0.get(name, config.default_counts_per_s_at_mag0)
    exposure.zero_point = ZeroPoint(rate * seconds)
