"""Opening the database, and the two kinds of transaction.

`read` begins a snapshot that writers do not disturb; `write` takes the one write lock at once (BEGIN IMMEDIATE),
because a transaction that begins by reading and then wants to write can be refused without waiting. Opening does not
import alembic: the revision is read directly.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import Pool

from registry.errors import UnavailableError, UserError, VersionError
from registry.sql.failures import translate
from registry.sql.file_system import refuse_network_file_system

REVISIONS = ("0001", "0002")
"""Every schema revision this program knows, oldest first; a test compares it with the migrations."""
HEAD = REVISIONS[-1]
"""The revision this program works with."""
NOT_OURS = "restore it from a backup; if it never was a registry: isrflow init OTHERDIR --instrument NAME"
BUSY_TIMEOUT_S = 60.0
OLDEST_SQLITE = (3, 37)
_ASK_AGAIN_S = 0.001
_READ_ONLY = "registry_read_only"
_WRITES = "registry_writes"
_abandoned: list[Pool] = []


def open_database(where: Path | str, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open an existing registry database of the right version.

    Parameters
    ----------
    where
        Path of the SQLite file, or a ``sqlite:///`` URL.
    read_only
        Let the database itself refuse every write.
    busy_timeout_s
        How long to wait for another writer before giving up.

    Raises
    ------
    UserError
        If the URL is of another database (PostgreSQL is not supported yet).
    UnavailableError
        If there is no such file, or it is not a registry, or it lies on a network file system.
    VersionError
        If its schema is older or newer than this program.
    """
    path = database_path(where)
    if not path.is_file():
        raise UnavailableError(f"there is no registry database {path}", fix="isrflow init DIR --instrument NAME")
    refuse_network_file_system(path)
    engine = make_engine(path, read_only=read_only, busy_timeout_s=busy_timeout_s)
    try:
        check_version(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Open a read transaction: one consistent snapshot, never waiting for writers."""
    with _transaction(engine) as connection:
        yield connection


@contextmanager
def write(engine: Engine, *, durable: bool = False) -> Iterator[Connection]:
    """Open a write transaction, committed at the end and rolled back on any exception.

    Parameters
    ----------
    engine
        An open database.
    durable
        Let the commit survive a power cut (synchronous FULL); without it the last commits may be lost then, but
        nothing is corrupted.

    Raises
    ------
    UserError
        If the database was opened for reading only.
    UnavailableError
        If another writer keeps the database locked for longer than the busy timeout, or the disk is full.
    """
    if engine.get_execution_options().get(_READ_ONLY):
        raise UserError(f"the registry {engine.url.database} was opened for reading only; nothing was changed")
    with _transaction(engine, writes=True, durable=durable) as connection:
        yield connection


def current_revision(engine: Engine) -> str | None:
    """Return the schema revision of a database, or None if it has none."""
    with read(engine) as connection:
        has_table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        if not connection.exec_driver_sql(has_table).scalar():
            return None
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if revision is None else str(revision)


def check_version(engine: Engine) -> None:
    """Refuse a database whose schema is not the one this program works with."""
    found = current_revision(engine)
    if found == HEAD:
        return
    path = engine.url.database
    if found is None:
        raise UnavailableError(f"{path} is not an isrflow registry (it has no schema revision)", fix=NOT_OURS)
    if found in REVISIONS:
        message = f"the registry {path} has schema {found}, older than {HEAD} which this program works with"
        raise VersionError(message, found=found, expected=HEAD, fix="isrflow db upgrade")
    message = f"the registry {path} has schema {found}, which this program (schema {HEAD}) does not know: it is newer"
    raise VersionError(message, found=found, expected=HEAD, fix="pip install --upgrade isrflow")


def database_path(where: Path | str) -> Path:
    """Return the file that a path or a ``sqlite:///`` URL names; refuse any other URL."""
    if isinstance(where, Path) or "://" not in where:
        return Path(where).absolute()
    try:
        url = make_url(where)
    except ArgumentError as error:
        raise UserError(f"'{where}' is not a database URL: {error}", fix="leave out --db") from error
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return Path(str(url.database)).absolute()
    coming = (
        "PostgreSQL support is coming (not in this version)"
        if url.get_backend_name() == "postgresql"
        else "not supported"
    )
    message = (
        f"the registry cannot be kept at {url.render_as_string()}: {coming}; this version keeps it in a SQLite file"
    )
    raise UserError(message, fix="leave out --db")


def make_engine(path: Path, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
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
        URL.create("sqlite", database=str(path)), execution_options={_READ_ONLY: read_only}, **options
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            _take_the_write_lock(connection, busy_timeout_s)
        else:
            connection.exec_driver_sql("BEGIN")

    _forget_connections_after_fork(engine)
    return engine


@contextmanager
def _transaction(engine: Engine, *, writes: bool = False, durable: bool = False) -> Iterator[Connection]:
    """Open a connection, begin as told, and turn the driver's errors into ours."""
    try:
        with engine.connect().execution_options(**{_WRITES: writes}) as connection:
            if durable:
                _driver(connection).execute("PRAGMA synchronous = FULL")
            try:
                with connection.begin():
                    yield connection
            finally:
                if durable:
                    _driver(connection).execute("PRAGMA synchronous = NORMAL")
    except (DBAPIError, sqlite3.Error) as error:
        raise translate(error, str(engine.url.database)) from error


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


def _forget_connections_after_fork(engine: Engine) -> None:
    """Give a forked child a pool of its own: SQLite connections must be neither used nor closed across a fork."""
    reference = weakref.ref(engine)

    def renew() -> None:
        alive = reference()
        if alive is not None:
            _abandoned.append(alive.pool)
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=renew)
