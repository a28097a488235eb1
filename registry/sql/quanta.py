"""Quanta: the registry's own record of work. Reading it back; `registry.sql.quantum_plans` writes it.

States::

    planned -> leased -> done      for good, unless a product is lost, see `registry.sql.remaking`
                      -> failed    leased again if it may be retried; planned again by the next plan
    planned <- leased              the lease expired or its process died, see `registry.sql.leases`
    skipped -> planned             its calibrations were missing, and then were there
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from registry.errors import UnknownName
from registry.refs import QuantumRow
from registry.sql import tables as t
from registry.sql.collections import collection_id
from registry.sql.keys import data_id_from_row, with_data_id


def load_quanta(connection: Connection, *where: ColumnElement[bool]) -> list[QuantumRow]:
    """Return the quanta that fulfil conditions on `quantum_select`, in the order in which they were planned."""
    query = quantum_select().where(*where).order_by(t.quantum.c.id)
    return [quantum_from_row(row) for row in connection.execute(query)]


def quanta(
    connection: Connection,
    run: str | None = None,
    *,
    states: Sequence[str] | None = None,
    day_obs: int | None = None,
) -> list[QuantumRow]:
    """Return the quanta of a run, in some states, of an observing day.

    Raises
    ------
    UnknownName
        If the run or a state does not exist.
    """
    where: list[ColumnElement[bool]] = []
    if run is not None:
        where.append(t.quantum.c.run_id == collection_id(connection, run, "RUN"))
    for state in states or ():
        if state not in t.QUANTUM_STATES:
            raise UnknownName(kind="state of a quantum", name=state, known=t.QUANTUM_STATES)
    if states is not None:
        where.append(t.quantum.c.state.in_(states))
    if day_obs is not None:
        where.append(t.exposure.c.day_obs == day_obs)
    return load_quanta(connection, *where)


def quantum_select() -> Select[Any]:
    """Return the query behind `quantum_from_row`; it joins run, data id and (outer) the latest attempt."""
    q, a = t.quantum.c, t.quantum_attempt.c
    latest = and_(a.quantum_id == q.id, a.number == q.attempt)
    query = (
        select(
            *(q.id, q.uuid, q.task, q.state, q.content_key, q.attempt, q.lease_until_ns, q.reason, q.retriable),
            q.worker.label("lessee"),
            t.collection.c.name.label("run_name"),
            *(a.worker, a.error_kind, a.error_message, a.started_ns, a.ended_ns, a.seconds, a.cpu_s, a.peak_rss_bytes),
        )
        .join_from(t.quantum, t.collection, q.run_id == t.collection.c.id)
        .outerjoin(t.quantum_attempt, latest)
    )
    return with_data_id(query, t.quantum)


def quantum_from_row(row: Row[Any]) -> QuantumRow:
    """Make the record from a row of `quantum_select`; the worker is the lessee, or else who made the latest attempt."""
    return QuantumRow(
        id=row.id,
        uuid=row.uuid,
        run=row.run_name,
        task=row.task,
        data_id=data_id_from_row(row),
        state=row.state,
        content_key=row.content_key,
        attempt=row.attempt,
        worker=row.lessee or row.worker,
        lease_until_ns=row.lease_until_ns,
        reason=row.reason,
        error_kind=row.error_kind,
        error_message=row.error_message,
        retriable=bool(row.retriable),
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        seconds=row.seconds,
        cpu_s=row.cpu_s,
        peak_rss_bytes=row.peak_rss_bytes,
    )
