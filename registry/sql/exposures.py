"""Rows of the dimensions: instruments, detectors, physical filters, exposures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update

from registry.canonical import canonical_json, sha256_text
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.errors import ConflictError, UnknownName, listed
from registry.names import refuse_names
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.keys import instrument_id, known_filters


def register_instrument(
    connection: Connection,
    instrument: InstrumentRecord,
    detectors: Sequence[DetectorRecord],
    filters: Sequence[FilterRecord],
) -> None:
    """Add an instrument with its detectors and filters; what is there already must be the same.

    Raises
    ------
    ConflictError
        If any of them exists with other properties; all that differ are listed and nothing is stored.
    UserError
        If a name cannot be used; all such are listed and nothing is stored.
    """
    refuse_names("an instrument", [instrument.name])
    refuse_names("a detector", [detector.name for detector in detectors])
    refuse_names("a filter", [one.name for one in filters])
    known = {record.name: record for record in instruments(connection)}
    old: dict[object, object] = {}
    if instrument.name in known:
        old[instrument.name] = known[instrument.name]
        old |= {("detector", d.id): d for d in detectors_of(connection, instrument.name)}
        old |= {("filter", f.name): f for f in filters_of(connection, instrument.name)}
    new: dict[object, object] = {instrument.name: instrument}
    new |= {("detector", d.id): d for d in detectors} | {("filter", f.name): f for f in filters}
    _refuse_changes([(old[key], record) for key, record in new.items() if key in old and old[key] != record])
    if instrument.name not in known:
        values = {"name": instrument.name, "rollover_s": instrument.rollover_s, "camera_name": instrument.camera_name}
        connection.execute(insert(t.instrument).values(values))
    number = instrument_id(connection, instrument.name)
    insert_rows(
        connection,
        t.detector,
        [
            {"instrument_id": number, "number": d.id, "name": d.name, "serial": d.serial, "purpose": d.purpose}
            for d in detectors
            if ("detector", d.id) not in old
        ],
    )
    add = [f for f in filters if ("filter", f.name) not in old]
    insert_rows(connection, t.physical_filter, [{"instrument_id": number, "name": f.name, "band": f.band} for f in add])


def instruments(connection: Connection) -> list[InstrumentRecord]:
    """Return all instruments."""
    table = t.instrument.c
    query = select(table.name, table.rollover_s, table.camera_name).where(table.id != t.NOT_APPLICABLE)
    return [InstrumentRecord(*row) for row in connection.execute(query.order_by(table.name))]


def detectors_of(connection: Connection, instrument: str) -> list[DetectorRecord]:
    """Return the detectors of an instrument, by number."""
    table = t.detector.c
    query = select(table.number, table.name, table.serial, table.purpose)
    query = query.where(table.instrument_id == instrument_id(connection, instrument)).order_by(table.number)
    return [DetectorRecord(instrument, *row) for row in connection.execute(query)]


def filters_of(connection: Connection, instrument: str) -> list[FilterRecord]:
    """Return the physical filters of an instrument, by name."""
    table = t.physical_filter.c
    query = select(table.name, table.band).where(table.instrument_id == instrument_id(connection, instrument))
    return [FilterRecord(instrument, *row) for row in connection.execute(query.order_by(table.name))]


def insert_exposures(connection: Connection, records: Sequence[ExposureRecord]) -> int:
    """Add exposures; those that exist with the same properties are left alone.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    ConflictError
        If any exists with other properties; all that differ are listed and nothing is stored.
    UnknownName
        If an instrument or a filter is not registered; all that are missing are listed.
    """
    wanted = {(record.instrument, record.id): record for record in records}
    _refuse_changes([(wanted[r.instrument, r.id], r) for r in records if wanted[r.instrument, r.id] != r])
    names = sorted({record.instrument for record in records})
    old = {
        (record.instrument, record.id): record
        for name in names
        for record in exposures_by_number(connection, name, [number for who, number in wanted if who == name])
    }
    _refuse_changes([(record, wanted[key]) for key, record in old.items() if wanted[key] != record])
    new = [record for key, record in wanted.items() if key not in old]
    filters = {name: known_filters(connection, name) for name in names}
    _refuse_unknown_filters(new, filters)
    modes = _mode_ids(connection, {canonical_json(record.readout_mode) for record in new})
    ids = {name: instrument_id(connection, name) for name in names}
    rows = [_exposure_values(r, ids[r.instrument], filters[r.instrument], modes) for r in new]
    insert_rows(connection, t.exposure, rows)
    return len(new)


def update_exposures(connection: Connection, changes: Sequence[tuple[ExposureRecord, ExposureRecord]]) -> None:
    """Give exposures other properties; which exposure it is never changes.

    Parameters
    ----------
    changes
        Each as it is registered, and as it shall be.

    Raises
    ------
    ConflictError
        If any is not registered as it should be, somebody having changed it meanwhile, or would be another exposure;
        nothing is stored then.
    UnknownName
        If a new filter is not registered.
    """
    for name in sorted({old.instrument for old, _ in changes}):
        pairs = {old.id: (old, new) for old, new in changes if old.instrument == name}
        there = {record.id: record for record in exposures_by_number(connection, name, pairs)}
        _refuse_changed_meanwhile([(there.get(id_), old) for id_, (old, _) in pairs.items() if there.get(id_) != old])
        _refuse_changes([pair for pair in pairs.values() if (pair[0].instrument, pair[0].id) != (name, pair[1].id)])
        filters = {name: known_filters(connection, name)}
        _refuse_unknown_filters([new for _, new in pairs.values()], filters)
        modes = _mode_ids(connection, {canonical_json(new.readout_mode) for _, new in pairs.values()})
        number = instrument_id(connection, name)
        for _, new in pairs.values():
            where = (t.exposure.c.instrument_id == number, t.exposure.c.number == new.id)
            connection.execute(
                update(t.exposure).where(*where).values(_exposure_values(new, number, filters[name], modes))
            )


def exposures_by_number(connection: Connection, instrument: str, numbers: Iterable[int]) -> list[ExposureRecord]:
    """Return those exposures of an instrument that exist, by their public numbers."""
    number = instrument_id(connection, instrument)
    return [
        record
        for some in chunks(sorted(set(numbers)))
        for record in load_exposures(connection, t.exposure.c.instrument_id == number, t.exposure.c.number.in_(some))
    ]


def load_exposures(connection: Connection, *where: ColumnElement[bool]) -> list[ExposureRecord]:
    """Return the exposures that fulfil conditions on `exposure_select`, in the order in which they were taken."""
    query = exposure_select().where(*where).order_by(t.exposure.c.begin_ns, t.exposure.c.number)
    return [exposure_from_row(row) for row in connection.execute(query)]


def exposure_select() -> Select[Any]:
    """Return the query behind `exposure_from_row`; it joins instrument, physical_filter and readout_mode."""
    e = t.exposure.c
    return (
        select(
            t.instrument.c.name.label("instrument"),
            t.physical_filter.c.name.label("filter_name"),
            t.readout_mode.c.canonical.label("mode"),
            *(e.number, e.obs_id, e.day_obs, e.seq_num, e.filter_id, e.obs_type, e.object_name, e.begin_ns, e.end_ns),
            *(e.exposure_time_s, e.dark_time_s, e.ra_deg, e.dec_deg, e.attrs),
        )
        .join_from(t.exposure, t.instrument, e.instrument_id == t.instrument.c.id)
        .join(t.physical_filter, e.filter_id == t.physical_filter.c.id)
        .join(t.readout_mode, e.mode_id == t.readout_mode.c.id)
        .where(e.id != t.NOT_APPLICABLE)
    )


def exposure_from_row(row: Row[Any]) -> ExposureRecord:
    """Make the record from a row of `exposure_select`."""
    return ExposureRecord(
        instrument=row.instrument,
        id=row.number,
        obs_id=row.obs_id,
        day_obs=row.day_obs,
        seq_num=row.seq_num,
        physical_filter=row.filter_name if row.filter_id != t.NOT_APPLICABLE else None,
        obs_type=row.obs_type,
        object_name=row.object_name,
        begin_ns=row.begin_ns,
        end_ns=row.end_ns,
        exposure_time_s=row.exposure_time_s,
        dark_time_s=row.dark_time_s,
        ra_deg=row.ra_deg,
        dec_deg=row.dec_deg,
        readout_mode=json.loads(row.mode) if row.mode else {},
        attrs=json.loads(row.attrs),
    )


def _exposure_values(
    record: ExposureRecord, instrument: int, filters: dict[str, int], modes: dict[str, int]
) -> dict[str, Any]:
    """Return the column values of a record."""
    same: tuple[str, ...] = ("obs_id", "day_obs", "seq_num", "obs_type", "object_name", "begin_ns", "end_ns", "mid_ns")
    same += ("exposure_time_s", "dark_time_s", "ra_deg", "dec_deg")
    return {name: getattr(record, name) for name in same} | {
        "instrument_id": instrument,
        "number": record.id,
        "filter_id": filters[record.physical_filter] if record.physical_filter is not None else t.NOT_APPLICABLE,
        "mode_id": modes[canonical_json(record.readout_mode)],
        "attrs": canonical_json(record.attrs),
    }


def _mode_ids(connection: Connection, spellings: set[str]) -> dict[str, int]:
    """Return the row of each readout mode, adding those that are new; no mode at all is the sentinel."""
    ids = {"{}": t.NOT_APPLICABLE}
    wanted = {text: sha256_text(text) for text in sorted(spellings - {"{}"})}
    if not wanted:
        return ids
    table = t.readout_mode
    for some in chunks(list(wanted.items())):
        query = select(table.c.canonical, table.c.id).where(table.c.sha256.in_([sha for _, sha in some]))
        known = {row.canonical for row in connection.execute(query)}
        new = [{"canonical": text, "sha256": sha} for text, sha in some if text not in known]
        insert_rows(connection, table, new)
        ids |= {row.canonical: row.id for row in connection.execute(query)}
    return ids


def _refuse_changes(changes: Sequence[tuple[object, object]]) -> None:
    """Refuse records that exist with other properties, naming each property."""
    if not changes:
        return
    lines = listed(_difference(old, new) for old, new in changes)
    message = f"already registered with other properties; nothing was stored:\n{lines}"
    raise ConflictError(message, conflicts=[new for _, new in changes])


def _refuse_changed_meanwhile(changes: Sequence[tuple[ExposureRecord | None, ExposureRecord]]) -> None:
    """Refuse to change exposures that are not what they were when the change was thought out."""
    if changes:
        lines = listed(f"exposure {old.id} is gone" if now is None else _difference(old, now) for now, old in changes)
        message = f"somebody else changed these exposures meanwhile; nothing was stored:\n{lines}"
        raise ConflictError(message, conflicts=[old for _, old in changes], fix="look again: run the command again")


def _difference(old: object, new: object) -> str:
    """Say in which fields two records of the same identity differ."""
    names = [name for name in type(new).__slots__ if getattr(old, name) != getattr(new, name)]  # type: ignore[attr-defined]
    what = type(new).__name__.removesuffix("Record").lower()
    identity = getattr(new, "id", None)
    who = getattr(new, "name", "") if identity is None else identity
    fields = ", ".join(f"{name} {getattr(old, name)!r} -> {getattr(new, name)!r}" for name in names)
    return f"{what} {who}: {fields}"


def _refuse_unknown_filters(records: Sequence[ExposureRecord], filters: dict[str, dict[str, int]]) -> None:
    """Refuse filters that the instrument does not have, all at once."""
    for instrument, known in filters.items():
        used = {r.physical_filter for r in records if r.instrument == instrument and r.physical_filter is not None}
        unknown = sorted(used - set(known))
        if unknown:
            names = ", ".join(f"'{name}'" for name in unknown)
            message = (
                f"instrument {instrument} has no physical filter {names}; it has {', '.join(sorted(known)) or 'none'}"
            )
            raise UnknownName(
                message, kind="physical filter", name=unknown[0], fix="add it to the instrument's YAML file"
            )
