"""The embedded engine: one file, many readers, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from registry.errors import UnavailableError
from registry.sql.forks import forget_connections_after_fork
from registry.sql.modes import BUSY_TIMEOUT_S, DURABLE, READ_ONLY, WRITES

OLDEST_SQLITE = (3, 37)
_ASK_AGAIN_S = 0.001


def make_sqlite_engine(path: Path, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Make an engine for a SQLite file, with no check of what is in it.

    Raises
    ------
    UnavailableError
        If Python was built with a SQLite that is too old for STRICT tables.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        message = f"SQLite {sqlite3.sqlite_version} is too old for the registry, which needs {needed}"
        raise UnavailableError(message, fix="use a newer Python, for example from conda-forge")
    sealed = read_only and not os.access(path.parent, os.W_OK)
    options = {"creator": partial(_open_sealed, path)} if sealed else {"connect_args": {"timeout": busy_timeout_s}}
    engine = create_engine(
        URL.create("sqlite", database=str(path)), execution_options={READ_ONLY: read_only}, **options
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")  # or INSERT OR REPLACE deletes past the guards
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(WRITES):
            level = "FULL" if options.get(DURABLE) else "NORMAL"
            _driver(connection).execute(f"PRAGMA synchronous = {level}")  # only outside of a transaction
            _take_the_write_lock(connection, busy_timeout_s)
        else:
            connection.exec_driver_sql("BEGIN")

    forget_connections_after_fork(engine)
    return engine


def _take_the_write_lock(connection: Connection, timeout_s: float) -> None:
    """Begin to write, asking for the lock every millisecond.

    SQLite's own way of waiting asks ever more rarely, up to ten times a second: of several busy writers the one who
    waited longest is the least likely to come next. Asking evenly makes the slowest of four writers eight times faster.
    """
    driver, give_up = _driver(connection), time.monotonic() + timeout_s
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(_ASK_AGAIN_S)
            else:
                return
    finally:
        driver.execute(f"PRAGMA busy_timeout = {round(timeout_s * 1000)}")


def _driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection, for what must stand outside of SQLAlchemy's transactions."""
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _open_sealed(path: Path) -> sqlite3.Connection:
    """Open a database where nothing can be written, not even SQLite's own lock: an archive, a read-only disk.

    Raises
    ------
    UnavailableError
        If its last changes are still in the write-ahead log, which cannot be read there.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        message = f"{path} cannot be read where nothing can be written: its last changes are still in {log.name}"
        raise UnavailableError(message, fix="let its owner run `isrflow status`, or copy the repository")
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False)
