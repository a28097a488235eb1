"""What is known about an exposure besides its pixels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN_FILTER = "Unknown"
"""How tables name the filter of an exposure that states none."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The circumstances of one exposure.

    Times are TAI nanoseconds since 1970-01-01 TAI, half-open; they are None where the header has none (a master, say).
    """

    instrument: str = ""
    exposure_id: int | None = None
    """Unique within the instrument."""
    obs_id: str = ""
    day_obs: int | None = None
    """Observing day, YYYYMMDD, by the instrument's rollover."""
    seq_num: int | None = None
    obs_type: str = "unknown"
    """One of bias, dark, flat, science, or what the header said."""
    object_name: str = ""
    physical_filter: str | None = None
    band: str | None = None
    exposure_time_s: float = float("nan")
    dark_time_s: float = float("nan")
    begin_tai_ns: int | None = None
    end_tai_ns: int | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    readout_mode: Mapping[str, Any] = field(default_factory=dict)
    """Binning, window, gain state: properties a calibration may have to match."""

    @property
    def filter_name(self) -> str:
        """The physical filter, or ``Unknown``."""
        return self.physical_filter or UNKNOWN_FILTER

    def is_through(self, filters: Collection[str]) -> bool:
        """Tell whether the exposure was taken through one of these physical filters or bands."""
        return any(name is not None and name in filters for name in (self.physical_filter, self.band))
