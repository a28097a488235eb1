"""The server engine: PostgreSQL through psycopg 3.

Readers see one snapshot (REPEATABLE READ, READ ONLY). Writers are READ COMMITTED and take the registry's advisory lock
first, so that what one of them read is still so when it writes; without it two could each find that a name is free.
All settings are local to the transaction: a pooler between here and the server may hand out another session every time.
"""

from __future__ import annotations

import os
import socket
import time
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

from registry.errors import UnavailableError
from registry.sql.address import with_password
from registry.sql.forks import forget_connections_after_fork
from registry.sql.locks import SHARED_LOCK, WRITE_LOCK
from registry.sql.modes import BESIDE, BUSY_TIMEOUT_S, DURABLE, READ_ONLY, SHARED, WRITES

OLDEST_POSTGRESQL = 13
_CONNECT_TIMEOUT_S = 10
_ASK_AFTER_S = 1.0
_USED = "registry_used_at"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FORGOTTEN_AFTER_S = 600
"""A writer that does nothing for so long (its machine sleeps) loses its transaction, so that others can go on."""


def make_postgres_engine(url: URL, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Make an engine for a PostgreSQL database, with no check of what is in it; nothing is connected yet.

    Raises
    ------
    UnavailableError
        If the driver is not installed.
    """
    if find_spec("psycopg") is None:
        message = "a registry in PostgreSQL needs the driver psycopg, which is not installed"
        raise UnavailableError(message, fix="pip install 'isrflow[postgresql]'")
    engine = create_engine(
        with_password(url).update_query_dict(_defaults(url)),
        execution_options={READ_ONLY: read_only},
        pool_size=2,
        max_overflow=20,
    )
    begin_writing = _begin_writing(busy_timeout_s)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        _refuse_old_server(connection.info.server_version)
        connection.autocommit = True  # the driver must not begin transactions behind our back

    @event.listens_for(engine, "checkin")
    def _note_the_time(_connection: Any, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask_whether_it_lives(connection: Any, record: Any, _proxy: object) -> None:
        """Meet a server that was restarted before any work is done, without asking before every transaction."""
        if time.monotonic() - record.info.get(_USED, time.monotonic()) > _ASK_AFTER_S:
            try:
                connection.execute("")
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error  # the pool drops it, and all that are as old

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        company = BESIDE if options.get(BESIDE) else SHARED if options.get(SHARED) else ""
        kind = (bool(options.get(DURABLE)), company)
        connection.exec_driver_sql(begin_writing[kind] if options.get(WRITES) else _BEGIN_READING)

    forget_connections_after_fork(engine)
    return engine


def _begin_writing(busy_timeout_s: float) -> dict[tuple[bool, str], str]:
    """Spell how a write transaction begins, by whether it is durable and in company: settings and lock in one message.

    A commit that need not be durable does not wait for the disk; after a crash of the server it may be missing, with
    all that came after it, as in SQLite.
    """
    limits = {
        "lock_timeout": f"{max(1, round(busy_timeout_s * 1000))}ms",
        "idle_in_transaction_session_timeout": f"{_FORGOTTEN_AFTER_S}s",
    }
    spelled = {}
    for durable in (True, False):
        settings = limits | ({} if durable else {"synchronous_commit": "off"})
        told = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        begin = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT {told}"
        for company, lock in ((BESIDE, ""), (SHARED, f", {SHARED_LOCK}"), ("", f", {WRITE_LOCK}")):
            spelled[durable, company] = begin + lock
    return spelled


def _defaults(url: URL) -> dict[str, str]:
    """Return what is told the server unless the URL says otherwise; people find the name in pg_stat_activity."""
    known = {
        "connect_timeout": str(_CONNECT_TIMEOUT_S),
        "application_name": f"isrflow {os.getpid()}@{socket.gethostname()}"[:63],
    }
    return {name: value for name, value in known.items() if name not in url.query}


def _refuse_old_server(version: int) -> None:
    """Refuse a server without what the schema needs."""
    if version < OLDEST_POSTGRESQL * 10000:
        message = f"PostgreSQL {version // 10000} is too old for the registry, which needs {OLDEST_POSTGRESQL} or newer"
        raise UnavailableError(message, fix="ask for a database on a newer server, or leave out --db for a SQLite file")
