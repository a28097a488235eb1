"""What is to be certified, and what is certified there already: datasets with all that they are matched by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from registry.errors import ConflictError, UnknownName, UserError, listed
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks, in_order
from registry.sql.dataset_types import dataset_types
from registry.sql.raw_modes import mode_to_certify
from registry.timespan import ALL_TIME, Timespan


@dataclass(frozen=True, slots=True)
class Slot:
    """A dataset and what it is matched by within a collection; also the range, if it has one already."""

    key: tuple[int, int, int, int]
    """type_id, instrument_id, detector_id, filter_id"""
    dataset_id: int
    uuid: UUID
    status: str = "LIVE"
    validity_id: int = 0
    span: Timespan = ALL_TIME
    mode_id: int = t.NOT_APPLICABLE

    @property
    def place(self) -> tuple[int, ...]:
        """What it is matched by, the readout mode among it."""
        return (*self.key, self.mode_id)


def certifiable(connection: Connection, refs: Sequence[DatasetRef]) -> list[Slot]:
    """Return the rows of datasets, refusing all that cannot be certified, all at once."""
    rows = dataset_slots(connection, refs)
    types = {row.id: row.type for row in dataset_types(connection).values()}
    problems = [f"{_name(types, row)} is {row.status}, not LIVE" for row in rows if row.status != "LIVE"]
    for row in rows:
        kind = types[row.key[0]]
        if not kind.is_calibration:
            problems.append(f"{_name(types, row)} is not a calibration")
        elif "exposure" in kind.dimensions:
            problems.append(f"{_name(types, row)} belongs to one exposure and cannot be valid for others")
    holder: dict[tuple[int, ...], Slot] = {}
    for row in rows:
        first = holder.setdefault(row.key, row)
        if first is not row:
            problems.append(f"{_name(types, first)} and {_name(types, row)} are the same calibration twice; choose one")
    if problems:
        raise ConflictError(f"nothing was certified:\n{listed(problems)}", conflicts=problems)
    return rows


def with_modes(connection: Connection, rows: Sequence[Slot], readout_mode: Mapping[str, Any] | None) -> list[Slot]:
    """Return rows with the readout mode to be matched by, where their types are."""
    kinds = {row.id: row.type for row in dataset_types(connection).values()}
    by_mode = [row for row in rows if kinds[row.key[0]].matches_mode]
    if readout_mode is not None and len(by_mode) < len(rows):
        names = ", ".join(sorted({kinds[row.key[0]].name for row in rows if row not in by_mode}))
        raise UserError(f"{names} is not matched by readout mode; none can be given", fix="leave --readout-mode out")
    names_of = {row.dataset_id: _name(kinds, row) for row in by_mode}
    if not by_mode:
        return list(rows)
    modes = mode_to_certify(connection, names_of, readout_mode)
    return [replace(row, mode_id=modes.get(row.dataset_id, t.NOT_APPLICABLE)) for row in rows]


def dataset_slots(connection: Connection, refs: Sequence[DatasetRef]) -> list[Slot]:
    """Return the rows of datasets, without repetitions, sorted by key so that locks are taken in one order."""
    d = t.dataset.c
    columns = (d.type_id, d.instrument_id, d.detector_id, d.filter_id, d.id, d.uuid, d.status)
    wanted = {ref.id for ref in refs}
    rows = [
        Slot((row[0], row[1], row[2], row[3]), row.id, row.uuid, row.status)
        for some in chunks(in_order(wanted))
        for row in connection.execute(select(*columns).where(among(connection, d.uuid, some)))
    ]
    missing = sorted(str(uuid) for uuid in wanted - {row.uuid for row in rows})
    if missing:
        raise UnknownName(f"no such dataset: {', '.join(missing[:20])}", kind="dataset", name=missing[0])
    if not rows:
        raise UserError("no datasets were given", fix="isrflow query datasets")
    return sorted(rows, key=lambda row: (row.key, row.dataset_id))


def open_slots(connection: Connection, home: int, types: set[int], span: Timespan) -> dict[tuple[int, ...], list[Slot]]:
    """Return the rows in force that overlap a range, by key and mode, in order of time."""
    v, d = t.calib_validity.c, t.dataset.c
    query = (
        select(v.type_id, v.instrument_id, v.detector_id, v.filter_id, v.dataset_id, d.uuid, d.status, v.id)
        .add_columns(v.begin_ns, v.end_ns, v.mode_id)
        .join(t.dataset, v.dataset_id == d.id)
        .where(v.collection_id == home, v.type_id.in_(sorted(types)), v.revoked_at == t.OPEN_ENDED)
        .where(v.begin_ns < span.end_ns, v.end_ns > span.begin_ns)
        .order_by(v.begin_ns)
    )
    rows: defaultdict[tuple[int, ...], list[Slot]] = defaultdict(list)
    for row in connection.execute(query):
        span_there = Timespan(row.begin_ns, row.end_ns)
        key = (row[0], row[1], row[2], row[3])
        slot = Slot(key, row.dataset_id, row.uuid, row.status, row.id, span_there, row.mode_id)
        rows[slot.place].append(slot)
    return dict(rows)


def _name(types: dict[int, Any], row: Slot) -> str:
    """Name a dataset in a message."""
    return f"{types[row.key[0]].name} {row.uuid.hex[:8]}"
