"""Where a database is: a file, or a PostgreSQL server. Passwords are never part of what is kept or shown."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from registry.errors import UserError

PASSWORD_VARIABLE = "ISRFLOW_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable
Address = Path | URL
"""A SQLite file, or the URL of a PostgreSQL database."""

_EXAMPLE = "postgresql://USER@HOST:5432/DATABASE"
_SCHEMES = {"postgresql", "postgres"}


def database_address(where: Path | str | URL) -> Address:
    """Return the file or the server that a path or a URL names.

    Raises
    ------
    UserError
        If it is neither a path, nor the URL of a SQLite file or of a PostgreSQL database.
    """
    if isinstance(where, Path) or (isinstance(where, str) and "://" not in where):
        return Path(where).absolute()
    url = _parsed(where)
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite" and url.database not in {None, "", ":memory:"}:
        return Path(str(url.database)).absolute()
    if backend in _SCHEMES:
        return _postgresql(url)
    message = f"the registry cannot be kept at {without_password(url)}: not supported"
    raise UserError(message, fix=f"leave out --db for a SQLite file, or name a PostgreSQL database: {_EXAMPLE}")


def stored_text(url: URL) -> str:
    """Return a URL as it may be written down: without its password."""
    return url._replace(password=None).render_as_string(hide_password=False)  # `set` takes None for "as it is"


def without_password(url: URL) -> str:
    """Return a URL as it may be shown; a password in its query goes, too."""
    return stored_text(url.difference_update_query(["password", "sslpassword"]))


def with_password(url: URL) -> URL:
    """Add the password of the environment, if the URL has none; libpq itself looks for PGPASSWORD and ~/.pgpass."""
    password = os.environ.get(PASSWORD_VARIABLE)
    return url.set(password=password) if password and url.password is None else url


def spoken(engine: Engine) -> str:
    """Return how messages call the database of an engine."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    url = engine.url.set(drivername="postgresql")
    return without_password(url.difference_update_query(sorted({*url.query} - {"host", "port"})))


def _parsed(where: str | URL) -> URL:
    try:
        return make_url(where)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, and so may what the parser says of it.
        message = "what was given for the database is not a URL"
        raise UserError(message, fix=f"leave out --db for a SQLite file, or write {_EXAMPLE}") from error


def _postgresql(url: URL) -> URL:
    """Return the URL in the one form that is used here."""
    if not url.database:
        raise UserError(f"{without_password(url)} does not name a database", fix=f"write {_EXAMPLE}")
    hidden = url.query.get("password")
    if isinstance(hidden, str):
        url = url.set(password=hidden).difference_update_query(["password"])
    return url.set(drivername="postgresql+psycopg")
