"""Whether what events recorded is there: marks, tags, flags, corrections, policies, contexts, chains, what was frozen.

A row that was taken out of the database leaves its event behind, and that one says what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, Connection, func, select

from registry.sql import tables as t
from registry.sql.chains import CHAIN_EVENT

_ROWS: Mapping[str, Column[Any]] = {
    "mark": t.dataset_mark.c.added_at,
    "unmark": t.dataset_mark.c.removed_at,
    "tag": t.dataset_tag.c.added_at,
    "untag": t.dataset_tag.c.removed_at,
    "flag": t.quality_flag.c.added_at,
    "unflag": t.quality_flag.c.removed_at,
    "header-correct": t.header_correction.c.added_at,
    "header-restore": t.header_correction.c.removed_at,
    "policy": t.calib_policy.c.added_at,
}
"""What an event of a kind began or ended."""
_STREAMED = {"yield_per": 1000}


def verify_recorded(connection: Connection) -> Iterator[str]:
    """Compare what events recorded with the rows, and yield every difference."""
    yield from _lost_rows(connection)
    yield from _other_policies(connection)
    yield from _lost_contexts(connection)
    yield from _other_collections(connection)


def _lost_rows(connection: Connection) -> Iterator[str]:
    for kind, column in _ROWS.items():
        query = select(column, func.count()).group_by(column)
        there = {row[0]: row[1] for row in connection.execute(query)}
        for seq, payload in _events(connection, kind):
            named = payload.get("datasets")
            wanted = len(named) if isinstance(named, list) else 1
            number = there.get(seq, 0)
            if number < wanted or (named is not None and number != wanted):
                yield f"event {seq} ({kind}) wrote {wanted} row(s) or more of {column.table.name}; {number} are there"


def _other_policies(connection: Connection) -> Iterator[str]:
    p = t.calib_policy.c
    query = select(p.added_at, t.dataset_type.c.name, p.on_missing, p.max_gap_ns)
    query = query.join(t.dataset_type, t.dataset_type.c.id == p.type_id)
    rows = {row[0]: tuple(row[1:]) for row in connection.execute(query)}
    for seq, payload in _events(connection, "policy"):
        said = tuple(payload.get(name) for name in ("type", "on_missing", "max_gap_ns"))
        if seq in rows and rows[seq] != said:
            yield f"the policy of event {seq} is not the one it recorded"


def _lost_contexts(connection: Connection) -> Iterator[str]:
    c = t.context.c
    there = {(row.name, row.sha256) for row in connection.execute(select(c.name, c.sha256))}
    for seq, payload in _events(connection, "context"):
        if (payload.get("context"), payload.get("sha256")) not in there:
            yield f"context {payload.get('context')}, which event {seq} froze, is gone, or is another one"


def _other_collections(connection: Connection) -> Iterator[str]:
    """Compare chains with their last edit, and what was frozen for ever with what is."""
    c = t.collection.c
    names = {row.id: row.name for row in connection.execute(select(c.id, c.name))}
    thawed = set(connection.execute(select(c.name).where(c.frozen == 0)).scalars())
    known = set(names.values())
    for seq, payload in _events(connection, "freeze"):
        name = payload.get("collection")
        if name in thawed or name not in known:
            yield f"collection {name} was frozen by event {seq}, and is not any more"
    link = t.collection_chain.c
    children: dict[str, list[str]] = {}
    for row in connection.execute(select(link.parent_id, link.child_id).order_by(link.parent_id, link.position)):
        children.setdefault(names[row.parent_id], []).append(names[row.child_id])
    last = {payload.get("chain"): (seq, payload.get("children")) for seq, payload in _events(connection, CHAIN_EVENT)}
    for name, (seq, said) in last.items():
        if children.get(str(name), []) != said:
            yield f"chain {name} is not what event {seq} made it"


def _events(connection: Connection, kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the events of a kind, in their order; what cannot be read any more is left to `verify_chain`."""
    e = t.registry_event.c
    query = select(e.seq, e.payload).where(e.kind == kind).order_by(e.seq)
    for row in connection.execute(query, execution_options=_STREAMED):
        try:
            payload = json.loads(row.payload)
        except ValueError:
            continue
        if isinstance(payload, dict):
            yield row.seq, payload
