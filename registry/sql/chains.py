"""What chains searched at an event: every edit of a chain is an event that says what the chain held before and after.

So the past of a chain is read backwards from today: the first edit after the event asked about says what was there.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from registry.sql import tables as t

CHAIN_EVENT = "chain"
"""Kind of the event; its payload has `chain`, `children` and `was`."""


def children_at(connection: Connection, as_of: int) -> dict[str, tuple[str, ...]]:
    """Return, of chains that were edited since an event, the children they had at it.

    A chain that is not in the answer had the children it has now.
    """
    e = t.registry_event.c
    query = select(e.seq, e.payload).where(e.kind == CHAIN_EVENT).order_by(e.seq)
    past: dict[str, tuple[str, ...]] = {}
    known: dict[str, list[str]] = {}
    for seq, payload in connection.execute(query):
        edit = json.loads(payload)
        if seq > as_of:  # the first edits did not say what had been there; then it is what the edit before made
            past.setdefault(edit["chain"], tuple(edit.get("was", known.get(edit["chain"], ()))))
        known[edit["chain"]] = edit["children"]
    return past
