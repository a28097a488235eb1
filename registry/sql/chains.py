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
    query = select(e.payload).where(e.kind == CHAIN_EVENT, e.seq > as_of).order_by(e.seq.desc())
    past: dict[str, tuple[str, ...]] = {}
    for payload in connection.execute(query).scalars():
        edit = json.loads(payload)
        past[edit["chain"]] = tuple(edit["was"])
    return past
