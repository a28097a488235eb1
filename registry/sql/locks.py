"""The lock that lets one writer at a time change what others decide by."""

from __future__ import annotations

from sqlalchemy import Connection

_ISRFLOW = 1769173606  # the first half of the key: "isrf" as four bytes; the second half is the schema
WRITE_LOCK = f"pg_advisory_xact_lock({_ISRFLOW}, hashtext(current_schema()))"
"""SQL of PostgreSQL: waits for the lock of the registry in this schema, and holds it until the transaction ends."""
SHARED_LOCK = WRITE_LOCK.replace("xact_lock(", "xact_lock_shared(")
"""The same lock, held together with others who share it; who wants it alone waits for all of them."""


def lock_log(connection: Connection) -> None:
    """Let no other writer add events until this transaction ends; harmless if that is so already.

    In SQLite every write transaction is alone from its beginning, and so is one that `write` began in PostgreSQL; this
    is for a transaction that was begun otherwise, before it reads what its change depends on.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT {WRITE_LOCK}")
