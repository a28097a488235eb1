"""Many rows at a time: no statement may carry more values than the smallest engine allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
CHUNK = 5000
"""Values in one IN (...); SQLite takes 32766, PostgreSQL 65535."""
COPY_FROM = 200
"""From so many rows on PostgreSQL is sent one stream (COPY) instead of one statement a row."""


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def in_order(uuids: Iterable[UUID]) -> list[UUID]:
    """Return each once, sorted; by their numbers, because comparing UUIDs themselves takes ten times as long."""
    return sorted(set(uuids), key=attrgetter("int"))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, which all name the same columns; nothing for an empty list (which alone would mean defaults)."""
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, table, rows)
    elif rows:
        connection.execute(insert(table), list(rows))


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """Insert those rows that are not there yet, and leave the others as they are.

    Parameters
    ----------
    connection
        A write transaction.
    table
        Where to.
    rows
        Values by column; all rows name the same columns.
    columns
        Of a unique constraint: rows that agree in them are the same.

    Returns
    -------
    int
        How many were new.
    """
    if not rows:
        return 0
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table).on_conflict_do_nothing(index_elements=list(columns))
    done = connection.execute(statement, list(rows), execution_options={"preserve_rowcount": True})
    return int(done.rowcount)


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Send rows as one stream; the values of our columns are what the driver takes, so that nothing is converted."""
    names = list(rows[0])
    quote = connection.dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(quote(name) for name in names)}) FROM STDIN"
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        with cursor.copy(statement) as stream:
            for row in rows:
                stream.write_row([row[name] for name in names])
        _keep_statistics_fresh(cursor, table.name, len(rows))


def _keep_statistics_fresh(cursor: Any, table: str, added: int) -> None:
    """Let the planner see a table that has grown by more than a tenth.

    It counts rows once a minute at best, by itself, and plans for what it counted: what follows a bulk load at once
    would read tables from end to end that it takes for empty ones.
    """
    cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", (table,))
    (known,) = cursor.fetchone()
    if added * 10 > known:
        cursor.execute(f"ANALYZE {table}")
