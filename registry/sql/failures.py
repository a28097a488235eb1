"""The database drivers' errors, as ours: what, where, why, and what to do."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeGuard

from sqlalchemy.exc import DBAPIError

from registry.errors import ConflictError, FrozenError, RegistryError, UnavailableError, UserError, ValidityOverlap
from registry.sql import postgres_failures

GUARD = "registry guard: "
"""How the message of every trigger begins."""

_RESTORE = "restore {file} from a backup (without its -wal and -shm files); keep the damaged one, and the datastore"
_UNAVAILABLE = {
    "database is locked": (
        "is locked: another process has been writing for too long",
        "see which with `fuser {file}`, then try again",
    ),
    "unable to open database file": (
        "cannot be opened",
        "check that the file and its directory can be read and written",
    ),
    "readonly database": ("cannot be written", "check the permissions of the file and its directory"),
    "disk is full": ("cannot grow: the disk is full", "free some space, then run `isrflow recover`"),
    "disk I/O error": (
        "cannot be read or written: the disk reports an error",
        "check the disk, then run `isrflow recover`",
    ),
    "not a database": ("is damaged at its very beginning, or no SQLite database", _RESTORE),
    "malformed": ("is damaged", _RESTORE),
}
_TOO_LONG = ("too many SQL variables", "Expression tree is too large", "parser stack overflow")


def is_failure(error: BaseException) -> TypeGuard[Exception]:
    """Say whether an error is a database driver's; COPY is not under SQLAlchemy, so psycopg's own are met, too.

    Half a character is none that a database could keep: the shell hands over what is not UTF-8 so.
    """
    return isinstance(error, (DBAPIError, sqlite3.Error, UnicodeEncodeError)) or type(error).__module__.startswith(
        "psycopg"
    )


def translate(error: Exception, place: str) -> RegistryError:
    """Return the registry's error for a driver's error, naming the database and what to do."""
    if isinstance(error, UnicodeEncodeError):
        said = ascii(error.object[max(0, error.start - 20) : error.end + 20])
        return UserError(f"{said} is no text: it holds bytes that are not UTF-8", fix="type it again, in UTF-8")
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(str(original), place)
    told = postgres_failures.told(original)
    if GUARD in told:
        return guarded(told.split(GUARD, 1)[1])
    return postgres_failures.translate(original, place)


def _of_sqlite(text: str, file: str) -> RegistryError:
    for sign, (what, fix) in _UNAVAILABLE.items():
        if sign in text:
            return UnavailableError(f"the registry {file} {what} ({text})", fix=fix.format(file=file))
    if any(sign in text for sign in _TOO_LONG):
        return too_long(text)
    if GUARD in text:
        return guarded(text.split(GUARD, 1)[1])
    if "constraint failed" in text:
        return ConflictError(f"the registry {file} refused the change: {text}", conflicts=[text])
    return RegistryError(f"the registry {file} reported: {text}")


def too_long(text: str) -> UserError:
    """Make the error for a question with more values than a statement may carry."""
    return UserError(f"the question is too long for the database ({text})", fix="ask for ranges, in a..b, or in parts")


def guarded(text: str) -> RegistryError:
    """Return the error for what a trigger refused."""
    if text.startswith("overlap"):
        return ValidityOverlap(f"the database refused a validity range: {text}", conflicts=[text])
    if text.startswith("frozen"):
        return FrozenError(f"the database refused the change: {text}")
    return ConflictError(f"the database refused the change: {text}", conflicts=[text])
