"""What a dataset can be about: instrument, detector, physical filter, exposure; and the rows that describe them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.timespan import BEGINNING_NS, FOREVER_NS

DIMENSIONS = ("instrument", "detector", "physical_filter", "exposure")
"""All dimensions, in the order in which they are printed.

Inside the tables "not applicable" is the sentinel row 0; outside it is None.
"""


@dataclass(frozen=True, slots=True, order=True)
class InstrumentRecord:
    """An instrument; its observing day begins `rollover_s` seconds after 00:00 UTC."""

    name: str
    rollover_s: float = 0.0
    camera_name: str = ""


@dataclass(frozen=True, slots=True, order=True)
class DetectorRecord:
    """A detector of an instrument."""

    instrument: str
    id: int
    name: str
    serial: str = ""
    purpose: str = "science"


@dataclass(frozen=True, slots=True, order=True)
class FilterRecord:
    """A physical filter of an instrument."""

    instrument: str
    name: str
    band: str = ""


@dataclass(frozen=True, slots=True)
class ExposureRecord:
    """An exposure: when, through what, of what.

    `begin_ns` and `end_ns` are TAI nanoseconds of opening and closing; a bias may have equal ones. `readout_mode` and
    `attrs` are JSON mappings: the mode is what changes the electronics' behaviour (binning, window, speed), `attrs`
    is anything else worth asking for. NaN of what may be None is None: a database knows no NaN.

    Raises
    ------
    ValueError
        If it ends before it begins, or never (whoever has no end time must reckon one), or lasts NaN seconds.
    """

    instrument: str
    id: int
    obs_id: str
    day_obs: int
    seq_num: int
    physical_filter: str | None
    obs_type: str
    object_name: str
    begin_ns: int
    end_ns: int
    exposure_time_s: float
    dark_time_s: float | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    readout_mode: Mapping[str, Any] = field(default_factory=dict, hash=False)
    attrs: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.end_ns < self.begin_ns:
            message = f"exposure {self.id} ends before it begins ({self.begin_ns} > {self.end_ns} TAI ns)"
            raise ValueError(message)
        if not (self.begin_ns > BEGINNING_NS and self.end_ns < FOREVER_NS):
            message = f"exposure {self.id} has no begin or no end ({self.begin_ns}, {self.end_ns} TAI ns)"
            raise ValueError(message)
        if not math.isfinite(self.exposure_time_s):
            message = f"exposure {self.id} has no exposure time ({self.exposure_time_s})"
            raise ValueError(message)
        for name in ("dark_time_s", "ra_deg", "dec_deg"):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                object.__setattr__(self, name, None)

    @property
    def mid_ns(self) -> int:
        """The instant at which calibrations are matched."""
        return (self.begin_ns + self.end_ns) // 2
