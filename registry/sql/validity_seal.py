"""A hash over the validity rows that an event wrote and closed, kept in the event, so that altering a row shows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, select

from registry.canonical import sha256_json
from registry.sql import tables as t
from registry.sql.validity_rows import load_validity
from registry.timespan import Timespan


def rows_sha256(added: Iterable[tuple[UUID, Timespan]], closed: Iterable[tuple[UUID, Timespan]]) -> str:
    """Return a hash over added and closed rows, in no particular order."""
    plain = [sorted([uuid.hex, span.begin_ns, span.end_ns] for uuid, span in rows) for rows in (added, closed)]
    return sha256_json(plain)


def verify_validity(connection: Connection) -> list[str]:
    """Compare the validity rows with the hashes in the events that wrote them, and describe every difference."""
    rows = load_validity(connection)
    added, closed = defaultdict(list), defaultdict(list)
    for row in rows:
        assert row.certified is not None
        added[row.certified.seq].append((row.dataset, row.span))
        if row.revoked is not None:
            closed[row.revoked.seq].append((row.dataset, row.span))
    query = select(t.registry_event.c.seq, t.registry_event.c.payload, t.registry_event.c.kind)
    problems = []
    for event in connection.execute(query.where(t.registry_event.c.kind.in_(("certify", "decertify")))):
        recorded = _recorded(event.payload)
        if rows_sha256(added[event.seq], closed[event.seq]) != recorded:
            problems.append(f"the validity rows of event {event.seq} ({event.kind}) are not those it recorded")
    return problems


def _recorded(payload: str) -> object:
    """Return the hash that an event keeps; None if somebody has made it unreadable."""
    try:
        return json.loads(payload)["rows_sha256"]
    except (ValueError, KeyError, TypeError):
        return None
