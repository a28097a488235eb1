"""Bringing a database to the schema of this program; the only file that runs alembic."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import UnavailableError, UserError, VersionError
from registry.sql.database import (
    HEAD,
    NOT_OURS,
    REVISIONS,
    current_revision,
    database_path,
    make_engine,
    read,
    write,
)
from registry.sql.file_system import refuse_network_file_system

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


def create_database(where: Path | str) -> Path:
    """Make a new, empty registry database.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If the file exists already, or the URL is not of SQLite.
    UnavailableError
        If the directory cannot be written or lies on a network file system.
    """
    path = database_path(where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"the directory {path.parent} cannot be made: {error.strerror}") from error
    refuse_network_file_system(path)
    with _one_at_a_time(path):
        if path.exists() and not _is_blank(path):
            raise UserError(
                f"there is already a registry database {path}", fix="isrflow init OTHERDIR --instrument NAME"
            )
        _run(path)
    return path


def upgrade_database(where: Path | str) -> tuple[str | None, str]:
    """Bring an existing database to the newest schema; harmless if it is there already.

    Returns
    -------
    tuple
        The revision before and after.

    Raises
    ------
    VersionError
        If the database is newer than this program.
    UnavailableError
        If there is no such file, or it is no registry.
    """
    path = database_path(where)
    if not path.is_file():
        raise UnavailableError(f"there is no registry database {path}", fix="isrflow init DIR --instrument NAME")
    with _one_at_a_time(path):
        before = database_revision(path)
        if before is None:
            raise UnavailableError(f"{path} is not an isrflow registry (it has no schema revision)", fix=NOT_OURS)
        if before not in REVISIONS:
            message = f"the registry {path} has schema {before}, newer than this program (schema {HEAD})"
            raise VersionError(message, found=before, expected=HEAD, fix="pip install --upgrade isrflow")
        if before != HEAD:
            _run(path)
    return before, HEAD


def database_revision(where: Path | str) -> str | None:
    """Return the schema revision of a database without insisting on the right one."""
    engine = make_engine(database_path(where))
    try:
        return current_revision(engine)
    finally:
        engine.dispose()


def alembic_config() -> Config:
    """Return alembic's configuration, pointing at the installed `migrations` package."""
    from alembic.config import Config

    config = Config()
    location = str(resources.files("migrations"))
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config


def _is_blank(path: Path) -> bool:
    """Say whether a database holds nothing at all: all that a creation leaves that was killed."""
    engine = make_engine(path)
    try:
        with read(engine) as connection:
            return not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
    finally:
        engine.dispose()


def _run(path: Path) -> None:
    """Run all missing revisions in one write transaction: all of them, or none."""
    engine = make_engine(path)
    try:
        with write(engine, durable=True) as connection:
            run_migrations(connection)
    finally:
        engine.dispose()


def run_migrations(connection: Connection, revision: str = "head") -> None:
    """Run the missing revisions on an open write transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock file beside the database, so that two programs do not migrate it at once."""
    lock = path.with_name(path.name + ".upgrade.lock")
    try:
        handle = lock.open("w")
    except OSError as error:
        raise UnavailableError(f"the registry directory {path.parent} cannot be written: {error.strerror}") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
