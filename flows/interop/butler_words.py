"""From the words of `lsst.daf.butler` to ours, one record at a time; what has none is None, or the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.refs import DataId, DatasetType
from registry.times import SECOND_NS, day_span
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan

IMPLIED = frozenset({"band", "day_obs", "group"})
"""Dimensions that follow from others: the data id here does without them."""
OURS = frozenset({"instrument", "exposure", "detector", "physical_filter"})
_ATTRIBUTES = (
    *("group", "observation_reason", "science_program", "seq_start", "seq_end"),
    *("sky_angle", "azimuth", "zenith_angle", "has_simulated", "can_see_sky"),
)
"""Properties of an exposure that have no column of their own here."""


def timespan(span: Any) -> Timespan | None:
    """Return a range exactly: both count TAI nanoseconds since 1970, half-open; None if it is empty."""
    if span.isEmpty():
        return None
    begin_ns, end_ns = span.model_dump()
    return Timespan(
        BEGINNING_NS if span.begin is None else int(begin_ns),
        FOREVER_NS if span.end is None else int(end_ns),
    )


def instrument(record: Any, day: Any | None) -> InstrumentRecord:
    """Return an instrument; when its observing day begins is read off one of its days (UTC midnight if it has none)."""
    span = None if day is None or day.timespan is None else timespan(day.timespan)
    if day is None or span is None:
        return InstrumentRecord(record.name)
    after_midnight = span.begin_ns - day_span(day.id, 0.0).begin_ns
    return InstrumentRecord(record.name, after_midnight / SECOND_NS)


def detector(record: Any) -> DetectorRecord:
    """Return a detector."""
    return DetectorRecord(record.instrument, record.id, record.full_name, "", (record.purpose or "science").lower())


def physical_filter(record: Any) -> FilterRecord:
    """Return a filter."""
    return FilterRecord(record.instrument, record.name, record.band or "")


def exposure(record: Any) -> ExposureRecord | str:
    """Return an exposure, or why it cannot be told here."""
    span = None if record.timespan is None else timespan(record.timespan)
    if span is None or span.begin_ns == BEGINNING_NS or span.end_ns == FOREVER_NS:
        return "it has no begin or no end"
    attributes = {name: getattr(record, name) for name in _ATTRIBUTES if getattr(record, name) is not None}
    lasted = (span.end_ns - span.begin_ns) / SECOND_NS
    return ExposureRecord(
        instrument=record.instrument,
        id=record.id,
        obs_id=record.obs_id,
        day_obs=record.day_obs,
        seq_num=record.seq_num or 0,
        physical_filter=record.physical_filter,
        obs_type=record.observation_type or "unknown",
        object_name=record.target_name or "",
        begin_ns=span.begin_ns,
        end_ns=span.end_ns,
        exposure_time_s=lasted if record.exposure_time is None else record.exposure_time,
        dark_time_s=record.dark_time,
        ra_deg=record.tracking_ra,
        dec_deg=record.tracking_dec,
        attrs=attributes,
    )


def data_id(values: Mapping[str, Any], type_: DatasetType) -> DataId:
    """Return what a dataset is about, in the dimensions that its type has here."""
    whole = DataId(
        str(values["instrument"]),
        values.get("exposure"),
        values.get("detector"),
        values.get("physical_filter"),
    )
    return whole.subset(type_.dimensions)


def mismatch(foreign: Any, ours: DatasetType) -> str | None:
    """Return why datasets of a foreign type cannot be datasets of one of ours; None if they can."""
    required = set(foreign.dimensions.required) - IMPLIED
    strange = sorted(required - OURS)
    if strange:
        return f"isrflow has no dimension {', '.join(strange)}"
    if required != set(ours.dimensions):
        there, here = ", ".join(sorted(required)), ", ".join(sorted(ours.dimensions))
        return f"it is about ({there}) there, {ours.name} here about ({here})"
    if foreign.isCalibration() != ours.is_calibration:
        return f"it {'is' if foreign.isCalibration() else 'is not'} a calibration there, unlike {ours.name} here"
    return None
