"""What is known about an exposure besides its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
