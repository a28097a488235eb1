"""Rows read for a package: few at a time, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from registry.sql import tables as t
from registry.sql.bulk import chunks

Described = Iterator[tuple[str, dict[str, Any]]]
"""What a record is, and its values."""
FEW = 1000


def rows_among(
    connection: Connection,
    query: Select[Any],
    column: ColumnElement[int],
    values: Sequence[int],
    *order: ColumnElement[Any],
) -> Iterator[Row[Any]]:
    """Yield the rows of a query whose column has one of the values, ordered within each piece."""
    for some in chunks(values, FEW):
        yield from connection.execute(query.where(column.in_(some)).order_by(*order))


def distinct(connection: Connection, query: Select[Any], column: ColumnElement[int], values: Iterable[int]) -> set[Any]:
    """Return what a query gives for rows whose column has one of the values, each once."""
    return {
        value
        for some in chunks(sorted(values))
        for value in connection.execute(query.where(column.in_(some)).distinct()).scalars()
    }


def calib_sets_of(connection: Connection, quanta: Sequence[int]) -> set[int]:
    """Return the sets of calibrations that quanta were done with."""
    return distinct(connection, select(t.quantum.c.calib_set_id), t.quantum.c.id, quanta)


def said(row: Row[Any]) -> dict[str, Any]:
    """Return who said it when and why, from a row with the columns of its event."""
    return {"at_ns": row.at_ns, "actor": row.actor, "reason": row.reason}
