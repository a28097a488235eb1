"""The database driver's errors, as ours."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from registry.errors import ConflictError, FrozenError, RegistryError, UnavailableError, UserError, ValidityOverlap

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


def translate(error: DBAPIError | sqlite3.Error, file: str) -> RegistryError:
    """Return the registry's error for a driver's error, naming the file and what to do."""
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    for sign, (what, fix) in _UNAVAILABLE.items():
        if sign in text:
            return UnavailableError(f"the registry {file} {what} ({text})", fix=fix.format(file=file))
    if any(sign in text for sign in _TOO_LONG):
        return UserError(
            f"the question is too long for the database ({text})", fix="ask for ranges, in a..b, or in parts"
        )
    if GUARD in text:
        return _guarded(text.split(GUARD, 1)[1])
    if "constraint failed" in text:
        return ConflictError(f"the registry {file} refused the change: {text}", conflicts=[text])
    return RegistryError(f"the registry {file} reported: {text}")


def _guarded(text: str) -> RegistryError:
    """Return the error for what a trigger refused."""
    if text.startswith("overlap"):
        return ValidityOverlap(f"the database refused a validity range: {text}", conflicts=[text])
    if text.startswith("frozen"):
        return FrozenError(f"the database refused the change: {text}")
    return ConflictError(f"the database refused the change: {text}", conflicts=[text])
