"""What PostgreSQL and its driver report, as our errors.

Errors of a running statement carry a code (SQLSTATE). Those of connecting do not: only their text tells them apart,
which is the server's own language's; what is not recognised is shown as it is.
"""

from __future__ import annotations

from typing import Any

from registry.errors import ConflictError, RegistryError, UnavailableError, UserError, ValidityOverlap

_AGAIN = "run the same command again; what was kept of it is recognised"
_RECOVER = "look at the server's log, then run `isrflow recover` and the same command again"

_CONSTRAINTS = {
    "23502": "NOT NULL constraint failed",
    "23503": "FOREIGN KEY constraint failed",
    "23505": "UNIQUE constraint failed",
    "23514": "CHECK constraint failed",
}
_OVERLAP = "23P01"
_BY_CODE = {
    "55P03": (
        "is locked: another process has been writing for too long",
        "see which with `SELECT pid, application_name, state, query FROM pg_stat_activity`, then try again",
    ),
    "57014": ("gave up: the statement took longer than the server allows", "ask for less at once, or raise its limit"),
    "40001": ("let another writer go first", _AGAIN),
    "40P01": ("let another writer go first, since both waited for each other", _AGAIN),
    "53100": ("cannot grow: the server's disk is full", "free some space there, then run `isrflow recover`"),
    "53200": ("cannot answer: the server is out of memory", "ask for less at once, then run `isrflow recover`"),
    "53300": ("has no connection left", "let fewer workers run (--workers), or raise max_connections of the server"),
    "57P01": ("cut the connection: the server was shut down, or somebody ended it", _AGAIN),
    "57P02": ("cut the connection: the server crashed", _RECOVER),
    "57P03": ("is not ready: the server is starting or stopping", "try again in a moment"),
    "25P03": ("ended the transaction: nothing was done in it for too long", _AGAIN),
    "25006": (
        "cannot be written: the server (a standby?) or the user may only read",
        "name the primary server in repository.json, or open it for reading",
    ),
    "42501": (
        "does not let us do that",
        "let its owner grant it: docs/howto/postgresql.md has the commands",
    ),
    "3F000": ("has no schema to work in", "CREATE SCHEMA name; and name it in search_path"),
    "42P01": ("misses a table", "isrflow db check"),
    "42703": ("misses a column", "isrflow db check"),
}
_BY_TEXT = {
    "password authentication failed": (
        "does not accept the user name or the password",
        "put the password into ~/.pgpass (host:port:database:user:password, mode 600) or ISRFLOW_DATABASE_PASSWORD",
    ),
    "no password supplied": (
        "wants a password",
        "put it into ~/.pgpass (host:port:database:user:password, mode 600) or ISRFLOW_DATABASE_PASSWORD",
    ),
    "no pg_hba.conf entry": (
        "lets nobody in from this machine as that user",
        "ask its administrator for a line in pg_hba.conf",
    ),
    "Peer authentication failed": (
        "takes you for another user of this machine",
        "name the host (localhost) and a user with a password, or run as that user",
    ),
    "is not permitted to log in": ("does not let that user log in", "ALTER ROLE name LOGIN"),
    'role "': ("does not know the user", "createuser NAME, or name another: postgresql://USER@HOST/DATABASE"),
    "too many connections": (
        "has no connection left",
        "let fewer workers run (--workers), or raise max_connections of the server",
    ),
    "too many clients": (
        "has no connection left",
        "let fewer workers run (--workers), or raise max_connections of the server",
    ),
    "remaining connection slots": (
        "has no connection left",
        "let fewer workers run (--workers), or raise max_connections of the server",
    ),
    "starting up": ("is not ready: the server is starting", "try again in a moment"),
    "shutting down": ("is not ready: the server is stopping", "try again in a moment"),
    "failed to resolve host": ("cannot be found: nobody knows the host", "check its name in repository.json or --db"),
    "could not translate host name": (
        "cannot be found: nobody knows the host",
        "check its name in repository.json or --db",
    ),
    "certificate": ("cannot be trusted: its certificate is not accepted", "see sslmode and sslrootcert of PostgreSQL"),
    "Connection refused": ("does not answer: no server listens there", "start it, or check host and port"),
    "No such file or directory": ("does not answer: no server listens there", "start it, or check host and port"),
    "timeout expired": ("does not answer in time", "check host, port and firewall; then try again"),
    "timed out": ("does not answer in time", "check host, port and firewall; then try again"),
}
_CUT = (
    "server closed the connection",
    "connection is lost",
    "connection is closed",
    "connection reset",
    "EOF detected",
)


def told(error: Any) -> str:
    """Return what the server said, without where in its functions."""
    diagnosis = getattr(error, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or error).strip()


def translate(error: Any, place: str) -> RegistryError:
    """Return the registry's error for one of psycopg."""
    code, text = getattr(error, "sqlstate", None) or "", told(error)
    if code == _OVERLAP:
        reason = "overlap: another calibration is valid in that range"
        return ValidityOverlap(f"the database refused a validity range: {reason}", conflicts=[reason])
    if code in _CONSTRAINTS:
        detail = " ".join(filter(None, [f"{_CONSTRAINTS[code]}: {text}", error.diag.message_detail]))
        return ConflictError(f"the registry {place} refused the change: {detail}", conflicts=[detail])
    if code in _BY_CODE:
        return _unavailable(place, *_BY_CODE[code], text)
    if code in {"54000", "54001", "54011"} or "number of parameters" in text:
        return UserError(
            f"the question is too long for the database ({text})", fix="ask for ranges, in a..b, or in parts"
        )
    if code.startswith("08") or any(sign in text for sign in _CUT):
        what = "cut the connection; of what was not finished nothing was kept"
        return _unavailable(place, what, _AGAIN, text)
    if not code and type(error).__name__ in {"OperationalError", "ConnectionTimeout"}:
        return _not_connected(place, text)
    return RegistryError(f"the registry {place} reported: {text}" + (f" ({code})" if code else ""))


def _not_connected(place: str, text: str) -> RegistryError:
    """Return the error for a connection that did not come about."""
    reasons = [line for line in text.splitlines() if line.strip()]
    if "does not exist" in text and 'database "' in text:
        fix = "createdb NAME (with -h HOST -U USER if need be), then try again"
        return _unavailable(place, "is not there: the server has no such database", fix, reasons[-1])
    for sign, (what, fix) in _BY_TEXT.items():
        if sign in text:
            line = next((line for line in reasons if sign in line), reasons[-1])
            return _unavailable(place, what, fix, line.strip())
    return UnavailableError(f"the registry {place} reported: {text}", fix="check the server, then try again")


def _unavailable(place: str, what: str, fix: str, text: str) -> UnavailableError:
    return UnavailableError(f"the registry {place} {what} ({text})", fix=fix)
