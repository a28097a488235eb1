"""A hash over the validity rows that an event wrote and closed, kept in the event, so that altering a row shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, select

from registry.canonical import sha256_json
from registry.sql import tables as t
from registry.timespan import ALL_TIME, Timespan

_STREAMED = {"yield_per": 2000}


Sealed = tuple[UUID, Timespan, str]
"""Of a validity row: its dataset, its range, and the readout mode it serves as JSON (empty if it is none)."""
_Placed = tuple[str, Sealed]
"""A row with its collection."""


def rows_sha256(added: Iterable[Sealed], closed: Iterable[Sealed]) -> str:
    """Return a hash over added and closed rows, in no particular order; no mode leaves no trace in it."""
    return sha256_json([sorted(_plain(row) for row in rows) for rows in (added, closed)])


def _plain(row: Sealed) -> list[str | int]:
    uuid, span, mode = row
    return [uuid.hex, span.begin_ns, span.end_ns, *([mode] if mode else [])]


def verify_validity(connection: Connection) -> list[str]:
    """Compare the validity rows with the hashes in the events that wrote them, and describe every difference.

    Rows are read in the order of their events, so that memory holds those of one event.
    """
    v, e = t.calib_validity.c, t.registry_event.c
    added = _Stream(connection, v.certified_at)
    closed = _Stream(connection, v.revoked_at)
    query = select(e.seq, e.payload, e.kind).where(e.kind.in_(("certify", "decertify"))).order_by(e.seq)
    problems = [
        f"the validity rows of event {event.seq} ({event.kind}) are not those it recorded"
        for event in connection.execute(query, execution_options=_STREAMED)
        if _differs(event.payload, added.of(event.seq), closed.of(event.seq))
    ]
    strangers = sorted({*added.passed_over(), *closed.passed_over()})
    return problems + [f"validity rows speak of event {seq}, which certified nothing" for seq in strangers]


class _Stream:
    """Validity rows in the order of the events that wrote, or closed, them."""

    def __init__(self, connection: Connection, column: ColumnElement[int]) -> None:
        v = t.calib_validity.c
        query = (
            select(column.label("seq"), t.dataset.c.uuid, v.begin_ns, v.end_ns, t.readout_mode.c.canonical)
            .add_columns(t.collection.c.name)
            .join_from(t.calib_validity, t.dataset, v.dataset_id == t.dataset.c.id)
            .join(t.readout_mode, v.mode_id == t.readout_mode.c.id)
            .join(t.collection, v.collection_id == t.collection.c.id)
            .where(column != t.OPEN_ENDED)
            .order_by(column, v.id)
        )
        rows = connection.execute(query, execution_options=_STREAMED)
        self._groups = groupby(rows, key=lambda row: int(row.seq))
        self._next = next(self._groups, None)
        self._passed_over: list[int] = []

    def of(self, seq: int) -> list[_Placed]:
        """Return the rows of an event; events must be asked for in their order."""
        while self._next is not None and self._next[0] < seq:
            self._passed_over.append(self._next[0])
            self._next = next(self._groups, None)
        if self._next is None or self._next[0] != seq:
            return []
        found = [_placed(row) for row in self._next[1]]
        self._next = next(self._groups, None)
        return found

    def passed_over(self) -> list[int]:
        """Return the events that rows speak of and nobody asked for."""
        self.of(t.OPEN_ENDED)
        return self._passed_over


def _placed(row: Row[Any]) -> _Placed:
    """Return a row of validity; one whose range can be none is in no collection, and so in no event."""
    try:
        span = Timespan(row.begin_ns, row.end_ns)
    except ValueError:
        return "", (row.uuid, ALL_TIME, row.canonical)
    return row.name, (row.uuid, span, row.canonical)


def _differs(payload: str, added: Sequence[_Placed], closed: Sequence[_Placed]) -> bool:
    """Say whether rows are other ones than an event recorded, or in another collection, or the event is unreadable."""
    try:
        said = json.loads(payload)
        home, sha256 = said["collection"], said["rows_sha256"]
    except (ValueError, KeyError, TypeError):
        return True
    moved = any(place != home for place, _ in (*added, *closed))
    return moved or rows_sha256((row for _, row in added), (row for _, row in closed)) != sha256
