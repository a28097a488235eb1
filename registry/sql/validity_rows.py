"""Reading validity rows, with who certified and who revoked them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from registry.refs import DataId
from registry.resolution import spell_data_ids
from registry.sql import tables as t
from registry.sql.collections import collection_id
from registry.sql.dataset_types import type_row
from registry.sql.events import refuse_future
from registry.times import format_time, spell_span
from registry.timespan import Timespan

_certified, _revoked = t.registry_event.alias("certified"), t.registry_event.alias("revoked")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who did something, when (TAI ns) and why; `seq` is the number of the event, the registry's own clock."""

    seq: int
    at_ns: int
    actor: str
    reason: str

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"by {self.actor or 'somebody'} at {format_time(self.at_ns)} (event {self.seq}){why}"


@dataclass(frozen=True, slots=True)
class ValidityRow:
    """A range of time in which a collection holds a dataset valid; `id` and `certified` are None in a plan."""

    id: int | None
    collection: str
    type: str
    data_id: DataId
    dataset: UUID
    run: str
    dataset_status: str
    span: Timespan
    certified: Stamp | None
    revoked: Stamp | None = None
    mode: str | None = None
    """The readout mode it serves, as JSON; None if its type is not matched by mode."""

    @property
    def short(self) -> str:
        """The first eight digits of the dataset's id."""
        return self.dataset.hex[:8]

    def visible(self, as_of: int | None) -> bool:
        """Say whether the row counted at a moment of the registry's clock; None is now."""
        if as_of is None:
            return self.revoked is None
        certified = self.certified is not None and self.certified.seq <= as_of
        return certified and (self.revoked is None or as_of < self.revoked.seq)

    @property
    def told(self) -> str:
        """When and where it is valid, and by whose word."""
        stamp = f", certified {self.certified}" if self.certified else ""
        stamp += f", revoked {self.revoked}" if self.revoked else ""
        mode = "" if self.mode is None else f" for readout mode {self.mode}"
        return f"valid {spell_span(self.span)}{mode} in {self.collection}{stamp}"

    def __str__(self) -> str:
        return f"{self.type} {self.short} {self.data_id} {self.told}"


def spell_rows(rows: Iterable[ValidityRow]) -> list[str]:
    """Write validity rows, those of many detectors that say the same in one line."""
    groups: defaultdict[tuple[object, ...], list[ValidityRow]] = defaultdict(list)
    for row in rows:
        data_id = row.data_id
        who = (row.type, data_id.instrument, data_id.physical_filter, data_id.detector is None)
        groups[(*who, row.run, row.span, row.collection, row.certified, row.revoked, row.mode)].append(row)
    return [_spell(group) for group in groups.values()]


def _spell(group: Sequence[ValidityRow]) -> str:
    first = group[0]
    if len(group) == 1:
        return str(first)
    what = f"{len(group)} {first.type}: {spell_data_ids(row.data_id for row in group)} (run {first.run})"
    return f"{what} {first.told}"


def validity_rows(
    connection: Connection, collection: str | None = None, type_name: str | None = None, *, as_of: int | None = None
) -> list[ValidityRow]:
    """Return the validity rows that count now, or that counted at an event.

    Parameters
    ----------
    connection
        An open transaction.
    collection, type_name
        Limit to one collection, or one dataset type.
    as_of
        Number of an event; None is now.

    Raises
    ------
    UnknownName
        If the collection or the type does not exist.
    UserError
        If event `as_of` has not happened yet.
    """
    refuse_future(connection, as_of)
    v = t.calib_validity.c
    where = [visible(as_of)]
    if collection is not None:
        where.append(v.collection_id == collection_id(connection, collection, "CALIBRATION"))
    if type_name is not None:
        where.append(v.type_id == type_row(connection, type_name).id)
    return load_validity(connection, *where)


def visible(as_of: int | None) -> ColumnElement[bool]:
    """Return the condition that a validity row counts at an event; None is now."""
    v = t.calib_validity.c
    if as_of is None:
        return v.revoked_at == t.OPEN_ENDED
    return and_(v.certified_at <= as_of, v.revoked_at > as_of)


def load_validity(connection: Connection, *where: ColumnElement[bool]) -> list[ValidityRow]:
    """Return the validity rows that fulfil conditions on `calib_validity`, by collection, type, key and begin."""
    v = t.calib_validity.c
    order = (
        t.collection.c.name,
        t.dataset_type.c.name,
        v.instrument_id,
        t.detector.c.number,
        v.filter_id,
        v.begin_ns,
        v.id,
    )
    stamps: dict[int, Stamp] = {}
    return [_validity(row, stamps) for row in connection.execute(_validity_select().where(*where).order_by(*order))]


def validity_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, ValidityRow]:
    """Return validity rows by their number."""
    rows = load_validity(connection, t.calib_validity.c.id.in_(ids))
    return {row.id: row for row in rows if row.id is not None}


def _validity_select() -> Select[Any]:
    """Return the query behind `_validity`."""
    v, run = t.calib_validity.c, t.collection.alias("home")
    stamp = ("seq", "at_ns", "actor", "reason")
    return (
        select(
            *(v.id, v.begin_ns, v.end_ns, v.detector_id, v.filter_id),
            t.collection.c.name.label("collection"),
            t.dataset_type.c.name.label("type"),
            t.instrument.c.name.label("instrument"),
            t.detector.c.number.label("detector"),
            t.physical_filter.c.name.label("filter"),
            *(v.mode_id, t.readout_mode.c.canonical.label("mode")),
            *(t.dataset.c.uuid, t.dataset.c.status),
            run.c.name.label("run"),
            *(_certified.c[name].label(f"certified_{name}") for name in stamp),
            *(_revoked.c[name].label(f"revoked_{name}") for name in stamp),
        )
        .join_from(t.calib_validity, t.collection, v.collection_id == t.collection.c.id)
        .join(t.dataset_type, v.type_id == t.dataset_type.c.id)
        .join(t.instrument, v.instrument_id == t.instrument.c.id)
        .join(t.detector, v.detector_id == t.detector.c.id)
        .join(t.physical_filter, v.filter_id == t.physical_filter.c.id)
        .join(t.readout_mode, v.mode_id == t.readout_mode.c.id)
        .join(t.dataset, v.dataset_id == t.dataset.c.id)
        .join(run, t.dataset.c.run_id == run.c.id)
        .join(_certified, v.certified_at == _certified.c.seq)
        .outerjoin(_revoked, v.revoked_at == _revoked.c.seq)
    )


def _validity(row: Sequence[Any], stamps: dict[int, Stamp]) -> ValidityRow:
    """Make the record from a row, by the order of its columns (names cost twice the time); an event has one stamp."""
    number, begin_ns, end_ns, detector_id, filter_id, collection, type_, instrument, detector, filter_ = row[:10]
    mode_id, mode, uuid, status, run, seq, at_ns, actor, reason, revoked_seq = row[10:20]
    if seq not in stamps:
        stamps[seq] = Stamp(seq, at_ns, actor, reason)
    if revoked_seq is not None and revoked_seq not in stamps:
        stamps[revoked_seq] = Stamp(revoked_seq, *row[20:])
    data_id = DataId(instrument, None, detector if detector_id else None, filter_ if filter_id else None)
    what = (number, collection, type_, data_id, uuid, run, status, Timespan(begin_ns, end_ns))
    revoked = None if revoked_seq is None else stamps[revoked_seq]
    return ValidityRow(*what, stamps[seq], revoked, mode if mode_id != t.NOT_APPLICABLE else None)
