"""Rows that count from one event to another: which of them count now, and which did as of an event."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Table, and_, select, update

from registry.sql import tables as t
from registry.sql.bulk import chunks


def counts(table: Table, as_of: int | None) -> ColumnElement[bool]:
    """Return the condition that a row with `added_at` and `removed_at` counts; `as_of` is an event, None is now."""
    c = table.c
    return c.removed_at == t.OPEN_ENDED if as_of is None else and_(c.added_at <= as_of, as_of < c.removed_at)


def is_any(connection: Connection, table: Table, as_of: int | None) -> bool:
    """Say whether any row counts at all: mostly none does, and then nothing need be looked up."""
    return connection.execute(select(table.c.id).where(counts(table, as_of)).limit(1)).first() is not None


def take_back(connection: Connection, table: Table, ids: Iterable[int], seq: int) -> None:
    """Let rows count no longer, from the newest event on; they stay, so that the past can be asked."""
    for some in chunks(sorted(set(ids))):
        connection.execute(update(table).where(table.c.id.in_(some)).values(removed_at=seq))
