"""Many rows at a time: no statement may carry more values than the smallest engine allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert

T = TypeVar("T")
CHUNK = 5000
"""Values in one IN (...); SQLite takes 32766, PostgreSQL 65535."""


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in one prepared statement; nothing for an empty list (which alone would mean a row of defaults)."""
    if rows:
        connection.execute(insert(table), list(rows))
