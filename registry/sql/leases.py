"""Leasing quanta to workers.

A lease ends by itself, so nothing stays "running" for ever; one worker at a time holds it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from registry.canonical import canonical_json
from registry.errors import ConflictError, UnknownName, UserError
from registry.refs import QuantumFailure, QuantumRow
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.times import SECOND_NS, now_ns

_q, _a = t.quantum.c, t.quantum_attempt.c


def lease(connection: Connection, quantum_ids: Sequence[int], worker: str, seconds: float = 600.0) -> list[int]:
    """Take quanta that are free: planned, failed but retriable, or leased by somebody whose lease has expired.

    Returns
    -------
    list of int
        Those won, in the order asked for; the others belong to somebody else, or are done.
    """
    now = now_ns()
    free = or_(
        _q.state == "planned",
        and_(_q.state == "failed", _q.retriable == 1),
        and_(_q.state == "leased", _q.lease_until_ns < now),
    )
    taken = {"state": "leased", "worker": worker, "lease_until_ns": now + round(seconds * SECOND_NS)}
    won: dict[int, int] = {}
    for some in chunks(sorted(set(quantum_ids))):
        statement = update(t.quantum).where(_q.id.in_(some), free).values(**taken, attempt=_q.attempt + 1)
        won |= {row.id: row.attempt for row in connection.execute(statement.returning(_q.id, _q.attempt))}
    _end_lost_attempts(connection, [quantum_id for quantum_id, number in won.items() if number > 1], now)
    host = socket.gethostname()
    attempt = {"worker": worker, "host": host, "outcome": "running", "started_ns": now}
    insert_rows(connection, t.quantum_attempt, [attempt | {"quantum_id": q, "number": n} for q, n in won.items()])
    return [quantum_id for quantum_id in dict.fromkeys(quantum_ids) if quantum_id in won]


def heartbeat(connection: Connection, quantum_ids: Sequence[int], worker: str, seconds: float = 600.0) -> list[int]:
    """Prolong leases from now on; return those that the worker still holds (the others were taken over)."""
    until = now_ns() + round(seconds * SECOND_NS)
    held: set[int] = set()
    for some in chunks(sorted(set(quantum_ids))):
        statement = update(t.quantum).where(_q.id.in_(some), _q.state == "leased", _q.worker == worker)
        held.update(connection.execute(statement.values(lease_until_ns=until).returning(_q.id)).scalars())
    return [quantum_id for quantum_id in dict.fromkeys(quantum_ids) if quantum_id in held]


def finish(
    connection: Connection,
    quantum_id: int,
    worker: str,
    *,
    metrics: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    cpu_s: float | None = None,
    peak_rss_bytes: int | None = None,
) -> None:
    """Mark a quantum done; belongs in the transaction that publishes its outputs.

    Raises
    ------
    ConflictError
        If the worker does not hold the lease (any more), naming who does.
    """
    number = _end(connection, quantum_id, worker, {"state": "done"})
    outcome: dict[str, Any] = {"outcome": "done", "seconds": seconds, "cpu_s": cpu_s, "peak_rss_bytes": peak_rss_bytes}
    outcome["metrics"] = canonical_json(metrics) if metrics is not None else None
    _end_attempt(connection, quantum_id, number, outcome)


def fail(
    connection: Connection, quantum_id: int, worker: str, error: QuantumFailure, *, retriable: bool = True
) -> None:
    """Mark a quantum failed, and keep how; one that may not be retried waits for the next plan.

    Raises
    ------
    ConflictError
        If the worker does not hold the lease (any more), naming who does.
    """
    number = _end(connection, quantum_id, worker, {"state": "failed", "retriable": int(retriable)})
    outcome = {
        "outcome": "failed",
        "error_kind": error.kind,
        "error_message": error.message,
        "traceback_text": error.traceback_text,
        "seconds": error.seconds,
        "cpu_s": error.cpu_s,
        "peak_rss_bytes": error.peak_rss_bytes,
    }
    _end_attempt(connection, quantum_id, number, outcome)


def release(connection: Connection, rows: Sequence[QuantumRow]) -> list[int]:
    """Take leases away and plan the quanta again, for workers known to be dead; return the quanta that were freed.

    A lease that changed since its row was read belongs to somebody else, or was prolonged: it is left alone.
    """
    freed: list[int] = []
    for row in rows:
        same = and_(_q.id == row.id, _q.state == "leased", _q.worker == row.worker, _q.attempt == row.attempt)
        same = and_(same, _q.lease_until_ns == row.lease_until_ns)
        values = {"state": "planned", "worker": None, "lease_until_ns": None}
        freed += connection.execute(update(t.quantum).where(same).values(values).returning(_q.id)).scalars()
    _end_lost_attempts(connection, freed, now_ns())
    return sorted(freed)


def _end(connection: Connection, quantum_id: int, worker: str, values: Mapping[str, Any]) -> int:
    """Give a lease back with a new state; return the number of the attempt."""
    mine = and_(_q.id == quantum_id, _q.state == "leased", _q.worker == worker)
    statement = update(t.quantum).where(mine).values(**values, worker=None, lease_until_ns=None)
    number = connection.execute(statement.returning(_q.attempt)).scalar()
    if number is None:
        raise _not_held(connection, quantum_id, worker)
    return int(number)


def _not_held(connection: Connection, quantum_id: int, worker: str) -> UserError:
    """Make the error that says who holds a quantum, or what became of it."""
    row = connection.execute(select(_q.uuid, _q.state, _q.worker).where(_q.id == quantum_id)).first()
    if row is None:
        return UnknownName(kind="quantum", name=str(quantum_id))
    now = f"it is leased by {row.worker}" if row.state == "leased" else f"it is {row.state}"
    message = f"quantum {row.uuid.hex[:8]} is not leased by {worker} (any more): {now}; its result was not recorded"
    return ConflictError(message, conflicts=[quantum_id], fix="nothing is lost: run the same command again")


def _end_attempt(connection: Connection, quantum_id: int, number: int, values: Mapping[str, Any]) -> None:
    """Write how an attempt ended."""
    which = and_(_a.quantum_id == quantum_id, _a.number == number)
    connection.execute(update(t.quantum_attempt).where(which).values(**values, ended_ns=now_ns()))


def _end_lost_attempts(connection: Connection, quantum_ids: Sequence[int], now: int) -> None:
    """Mark attempts lost that were still said to be running when their lease was taken away."""
    for some in chunks(quantum_ids):
        running = and_(_a.quantum_id.in_(some), _a.outcome == "running")
        connection.execute(update(t.quantum_attempt).where(running).values(outcome="lost", ended_ns=now))
