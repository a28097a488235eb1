"""Questions that only `registry.audit` asks, a page of rows at a time: memory stays flat, however much there is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select

from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.contexts import verify_contexts
from registry.sql.datasets import ref_from_row, ref_select
from registry.sql.events import verify_chain
from registry.sql.recorded import verify_recorded
from registry.sql.sealed import verify_blobs, verify_calib_sets
from registry.sql.validity_seal import verify_validity

PAGE = 2000
"""Rows looked at together."""
_STORED = (t.dataset.c.status.in_(("LIVE", "MISSING")), t.artifact.c.path.is_not(None))
REMEMBERED = (t.dataset_mark, t.quality_flag, t.header_correction, t.calib_policy, t.dataset_tag)
"""Tables of rows that count from one event to another."""


def count_stored(connection: Connection) -> int:
    """Return how many datasets should have a file."""
    a, d = t.artifact.c, t.dataset.c
    query = select(func.count()).select_from(t.dataset).join(t.artifact, a.dataset_id == d.id)
    return int(connection.execute(query.where(*_STORED)).scalar_one())


def stored_after(connection: Connection, row: int) -> tuple[list[DatasetRef], int | None]:
    """Return the next datasets that should have a file, and the row to go on after; None at the end."""
    return _page(connection, row, *_STORED)


def known_among(connection: Connection, paths: Sequence[str]) -> set[str]:
    """Return those paths at which a file is stored, or being written under its temporary or final name."""
    a, j, d = t.artifact.c, t.journal.c, t.dataset.c
    found: set[str] = set()
    for some in chunks(paths):
        stored = select(a.path).join(t.dataset, d.id == a.dataset_id).where(a.path.in_(some), a.in_place == 0)
        found |= set(connection.execute(stored.where(d.status != "PURGED")).scalars())
        for column in (j.tmp_path, j.final_path):
            found |= set(connection.execute(select(column).where(column.in_(some))).scalars())
    return found


def dangling_rows(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield what contradicts itself, with what is wrong: datasets, quanta, references to rows that are gone."""
    d, a, j, q, o = t.dataset.c, t.artifact.c, t.journal.c, t.quantum.c, t.quantum_output.c
    yield from _described(connection, "LIVE without a record of its file", d.status == "LIVE", a.path.is_(None))
    staged = (d.status == "STAGED", d.id.not_in(select(j.dataset_id)))
    yield from _described(connection, "STAGED, but nobody is writing it", *staged)
    idle = select(q.uuid, q.task).where(q.state == "done", q.id.not_in(select(o.quantum_id))).order_by(q.id)
    for row in connection.execute(idle, execution_options=_STREAMED):
        yield f"quantum {row.uuid.hex[:8]} ({row.task})", "done, but it made nothing"
    for table in t.metadata.sorted_tables:
        yield from _broken_references(connection, table)


def broken_log(connection: Connection) -> Iterator[str]:
    """Yield every break in the chain of events, and every row that contradicts it."""
    yield from verify_chain(connection)
    yield from verify_validity(connection)
    yield from verify_contexts(connection)
    yield from verify_recorded(connection)
    yield from verify_blobs(connection)
    yield from verify_calib_sets(connection)
    for table in REMEMBERED:
        yield from _broken_memory(connection, table)
    yield from _marks_without_an_event(connection)


def count_events(connection: Connection) -> int:
    """Return how many events there are."""
    return int(connection.execute(select(func.count()).select_from(t.registry_event)).scalar_one())


_STREAMED = {"yield_per": PAGE}


def _page(connection: Connection, after: int, *where: ColumnElement[bool]) -> tuple[list[DatasetRef], int | None]:
    d = t.dataset.c
    query = ref_select().where(*where, d.id > after).order_by(d.id).limit(PAGE)
    rows = connection.execute(query).all()
    return [ref_from_row(row) for row in rows], rows[-1].dataset_id if len(rows) == PAGE else None


def _described(connection: Connection, problem: str, *where: ColumnElement[bool]) -> Iterator[tuple[str, str]]:
    after: int | None = 0
    while after is not None:
        refs, after = _page(connection, after, *where)
        yield from ((str(ref), problem) for ref in refs)


def _broken_references(connection: Connection, table: Table) -> Iterator[tuple[str, str]]:
    """Yield references to rows that are gone; constraints forbid them, but not to somebody who switches them off."""
    for key in sorted(table.foreign_keys, key=lambda one: one.parent.name):
        column, target = key.parent, key.column.table.alias("target")
        there = select(1).where(target.c[key.column.name] == column).exists()
        query = select(func.count(), func.min(column)).where(column.is_not(None), ~there)
        number, example = connection.execute(query).one()
        if number:
            name = f"{table.name}.{column.name}"
            yield (
                f"{number} row(s) of {table.name}",
                f"{name} names no row of {key.column.table.name} (such as {example})",
            )


def _broken_memory(connection: Connection, table: Table) -> Iterator[str]:
    """Yield rows that an event should have begun or ended that never happened."""
    c, event = table.c, t.registry_event.alias("event")
    began = select(1).where(event.c.seq == c.added_at).exists()
    ended = select(1).where(event.c.seq == c.removed_at).exists()
    for column, condition in (
        (c.added_at, (c.added_at > 0) & ~began),  # 0: from before there were events for it
        (c.removed_at, (c.removed_at != t.OPEN_ENDED) & ~ended),
    ):
        query = select(c.id, column.label("seq")).where(condition).order_by(c.id)
        for row in connection.execute(query, execution_options=_STREAMED):
            yield f"row {row.id} of {table.name} speaks of event {row.seq} ({column.name}), which never happened"


def _marks_without_an_event(connection: Connection) -> Iterator[str]:
    """Yield marks that the event they name does not speak of."""
    m, e, d = t.dataset_mark.c, t.registry_event.c, t.dataset.c
    query = (
        select(m.id, m.kind, m.added_at, d.uuid, e.payload)
        .join_from(t.dataset_mark, t.registry_event, e.seq == m.added_at)
        .join(t.dataset, d.id == m.dataset_id)
        .order_by(m.id)
    )
    for row in connection.execute(query, execution_options=_STREAMED):
        if str(row.uuid) not in _datasets_of(row.payload):
            yield f"row {row.id} of dataset_mark ({row.kind}, {row.uuid}) is not what event {row.added_at} recorded"


def _datasets_of(payload: str) -> Sequence[Any]:
    try:
        found = json.loads(payload)
    except ValueError:
        return ()
    return found.get("datasets", ()) if isinstance(found, dict) else ()
