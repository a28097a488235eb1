"""Opening the database, and the two kinds of transaction; the same on both engines.

`read` begins a snapshot that writers do not disturb; `write` takes the one write lock at once, because a transaction
that begins by reading and then wants to write can be refused without waiting (SQLite), or write what is not so any
more (PostgreSQL). Opening does not import alembic: the revision is read directly.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.engine import URL

from registry.errors import UnavailableError, UserError, VersionError
from registry.sql.address import database_address, spoken
from registry.sql.failures import is_failure, translate
from registry.sql.file_system import refuse_network_file_system
from registry.sql.modes import BESIDE, BUSY_TIMEOUT_S, DURABLE, READ_ONLY, SHARED, WRITES
from registry.sql.postgres import make_postgres_engine
from registry.sql.sqlite import make_sqlite_engine

REVISIONS = ("0001", "0002")
"""Every schema revision this program knows, oldest first; a test compares it with the migrations."""
HEAD = REVISIONS[-1]
"""The revision this program works with."""
NOT_OURS = "restore it from a backup; if it never was a registry: isrflow init OTHERDIR --instrument NAME"


def open_database(
    where: Path | str | URL, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Engine:
    """Open an existing registry database of the right version.

    Parameters
    ----------
    where
        Path of a SQLite file, or a ``sqlite:///`` or ``postgresql://`` URL.
    read_only
        Let the database itself refuse every write.
    busy_timeout_s
        How long to wait for another writer before giving up.

    Raises
    ------
    UserError
        If the URL is of another database.
    UnavailableError
        If there is no such file, or it is not a registry, or it lies on a network file system; if the server cannot be
        reached, or does not let us in.
    VersionError
        If its schema is older or newer than this program.
    """
    address = database_address(where)
    if isinstance(address, Path):
        if not address.is_file():
            raise UnavailableError(f"there is no registry database {address}", fix="isrflow init DIR --instrument NAME")
        refuse_network_file_system(address)
    engine = make_engine(address, read_only=read_only, busy_timeout_s=busy_timeout_s)
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
def write(engine: Engine, *, durable: bool = False, beside: bool = False, shared: bool = False) -> Iterator[Connection]:
    """Open a write transaction, committed at the end and rolled back on any exception.

    It is alone: another one waits for its end. What it reads first is still so when it writes.

    Parameters
    ----------
    engine
        An open database.
    durable
        Let the commit survive a power cut; without it the last commits may be lost then, but nothing is corrupted.
    beside
        Do not wait for another writer (on PostgreSQL; a SQLite file has one in any case). For what changes single rows
        that are its own, each by one statement that says what they must be: the sign of life of a worker.
    shared
        Wait for writers that are alone, as they wait for it, but not for others that share (on PostgreSQL). For what is
        safe against its own kind by constraints and by the rows it locks, and appends no event: publishing.

    Raises
    ------
    UserError
        If the database was opened for reading only.
    UnavailableError
        If another writer keeps the database locked for longer than the busy timeout, or the disk is full.
    """
    if engine.get_execution_options().get(READ_ONLY):
        raise UserError(f"the registry {spoken(engine)} was opened for reading only; nothing was changed")
    with _transaction(engine, writes=True, durable=durable, beside=beside, shared=shared) as connection:
        yield connection


def current_revision(engine: Engine) -> str | None:
    """Return the schema revision of a database, or None if it has none."""
    with read(engine) as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """Return the schema revision that an open transaction sees, or None if there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def check_version(engine: Engine) -> None:
    """Refuse a database whose schema is not the one this program works with."""
    found = current_revision(engine)
    if found != HEAD:
        raise wrong_version(found, spoken(engine))


def wrong_version(found: str | None, place: str) -> UnavailableError:
    """Make the error for a schema that is not the newest one; names the command that mends it."""
    if found is None or not found.isdigit():  # other programs use alembic, too; its own revisions are no numbers
        why = "it has no schema revision" if found is None else f"its schema, {found}, is another program's"
        return UnavailableError(f"{place} is not an isrflow registry ({why})", fix=NOT_OURS)
    if found in REVISIONS:
        message = f"the registry {place} has schema {found}, older than {HEAD} which this program works with"
        return VersionError(message, found=found, expected=HEAD, fix="isrflow db upgrade")
    message = f"the registry {place} has schema {found}, which this program (schema {HEAD}) does not know: it is newer"
    return VersionError(message, found=found, expected=HEAD, fix="pip install --upgrade isrflow")


def make_engine(where: Path | str | URL, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Make an engine for a database, with no check of what is in it.

    Raises
    ------
    UserError
        If the URL is of an engine that is not known here.
    UnavailableError
        If the engine cannot be used: SQLite is too old, the driver of PostgreSQL is not installed.
    """
    address = database_address(where)
    if isinstance(address, Path):
        return make_sqlite_engine(address, read_only=read_only, busy_timeout_s=busy_timeout_s)
    return make_postgres_engine(address, read_only=read_only, busy_timeout_s=busy_timeout_s)


@contextmanager
def scratch_schema(engine: Engine) -> Iterator[Connection]:
    """Open a transaction in an empty schema of a PostgreSQL database, of which nothing will be left."""
    with _transaction(engine, writes=True) as connection:
        name = f"isrflow_scratch_{secrets.token_hex(4)}"
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        connection.exec_driver_sql(f"SET LOCAL search_path = {name}")
        yield connection
        connection.rollback()


@contextmanager
def _transaction(
    engine: Engine, *, writes: bool = False, durable: bool = False, beside: bool = False, shared: bool = False
) -> Iterator[Connection]:
    """Open a connection, begin as told, and turn the driver's errors into ours."""
    try:
        options = {WRITES: writes, DURABLE: durable, BESIDE: beside, SHARED: shared}
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except Exception as error:
        if not is_failure(error):
            raise
        raise translate(error, spoken(engine)) from error
