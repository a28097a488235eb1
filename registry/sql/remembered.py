"""Rows that count from one event to another: which of them count now, and which did as of an event."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_

from registry.sql import tables as t


def counts(table: Table, as_of: int | None) -> ColumnElement[bool]:
    """Return the condition that a row with `added_at` and `removed_at` counts; `as_of` is an event, None is now."""
    c = table.c
    return c.removed_at == t.OPEN_ENDED if as_of is None else and_(c.added_at <= as_of, as_of < c.removed_at)
