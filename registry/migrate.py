"""Bringing a database to the schema of this program; the only file that runs alembic."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import URL

from registry.errors import UnavailableError, UserError
from registry.sql.address import Address, database_address, spoken
from registry.sql.database import (
    HEAD,
    REVISIONS,
    current_revision,
    make_engine,
    revision_of,
    write,
    wrong_version,
)
from registry.sql.file_system import refuse_network_file_system
from registry.sql.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_TIMEOUT_S = 600.0
"""How long to wait until nobody writes, and for another program that migrates."""


def create_database(where: Path | str | URL) -> Address:
    """Make a new, empty registry database: a new file, or tables in a PostgreSQL database that has none of ours.

    Returns
    -------
    Address
        The file, or the URL.

    Raises
    ------
    UserError
        If there is a registry already, or the URL is of an engine that is not known.
    UnavailableError
        If the directory cannot be written or lies on a network file system; if the server cannot be reached, or does
        not let us make tables.
    """
    address = database_address(where)
    with _one_at_a_time(address), _changing(address) as connection:
        if _is_used(connection):
            raise UserError(
                f"there is already a registry database {spoken(connection.engine)}",
                fix="isrflow init OTHERDIR --instrument NAME (a server has room for more: createdb NAME)",
            )
        run_migrations(connection)
    return address


def upgrade_database(where: Path | str | URL) -> tuple[str | None, str]:
    """Bring an existing database to the newest schema; harmless if it is there already.

    Of two programs that do this at once one waits for the other, and then finds nothing to do.

    Returns
    -------
    tuple
        The revision before and after.

    Raises
    ------
    VersionError
        If the database is newer than this program.
    UnavailableError
        If there is no such database, or it is no registry.
    """
    address = database_address(where)
    if isinstance(address, Path) and not address.is_file():
        raise UnavailableError(f"there is no registry database {address}", fix="isrflow init DIR --instrument NAME")
    with _one_at_a_time(address), _changing(address) as connection:
        before = revision_of(connection)
        if before not in REVISIONS:
            raise wrong_version(before, spoken(connection.engine))
        if before != HEAD:
            run_migrations(connection)
    return before, HEAD


def database_revision(where: Path | str | URL) -> str | None:
    """Return the schema revision of a database without insisting on the right one."""
    engine = make_engine(where)
    try:
        return current_revision(engine)
    finally:
        engine.dispose()


def remove_database(where: Path | str | URL) -> None:
    """Take a registry that was just made away again, because the rest of its repository could not be made."""
    address = database_address(where)
    if isinstance(address, Path):
        for file in address.parent.glob(address.name + "*"):
            file.unlink()
        return
    with _changing(address) as connection:
        quote = connection.dialect.identifier_preparer.quote
        for name in (*metadata.tables, "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)} CASCADE")
        ours = (
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
            " AND position('registry guard: ' IN prosrc) > 0"
        )
        for (name,) in connection.exec_driver_sql(ours).all():
            connection.exec_driver_sql(f"DROP FUNCTION {quote(name)}() CASCADE")


def alembic_config() -> Config:
    """Return alembic's configuration, pointing at the installed `migrations` package."""
    from alembic.config import Config

    config = Config()
    location = str(resources.files("migrations"))
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config


def _is_used(connection: Connection) -> bool:
    """Say whether a database holds something; what a creation leaves that was killed is nothing at all.

    On a server others' tables may stand beside ours, in a database or schema that is shared.
    """
    there = set(inspect(connection).get_table_names())
    return bool(there) if connection.dialect.name == "sqlite" else bool(there & ({*metadata.tables, "alembic_version"}))


@contextmanager
def _changing(address: Address) -> Iterator[Connection]:
    """Open the one write transaction in which all missing revisions run: all of them, or none."""
    engine = make_engine(address, busy_timeout_s=MIGRATION_TIMEOUT_S)
    try:
        with write(engine, durable=True) as connection:
            yield connection
    finally:
        engine.dispose()


def run_migrations(connection: Connection, revision: str = "head") -> None:
    """Run the missing revisions on an open write transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def _one_at_a_time(address: Address) -> Iterator[None]:
    """Hold a lock file beside a SQLite database, so that two programs do not migrate it at once.

    On PostgreSQL the lock of the write transaction does that.
    """
    if isinstance(address, URL):
        yield
        return
    try:
        address.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"the directory {address.parent} cannot be made: {error.strerror}") from error
    refuse_network_file_system(address)
    lock = address.with_name(address.name + ".upgrade.lock")
    try:
        handle = lock.open("w")
    except OSError as error:
        message = f"the registry directory {address.parent} cannot be written: {error.strerror}"
        raise UnavailableError(message) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
