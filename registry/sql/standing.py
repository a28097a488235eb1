"""Which datasets can be handed out as calibrations: those that are there, or were there at an event, unmarked."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection

from registry.sql import tables as t
from registry.sql.events import until_ns
from registry.sql.notes import marked


def standing(connection: Connection, as_of: int | None) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on `dataset`.

    Now: LIVE, with no mark. As of an event: made by then, with no mark then; what became of its file since does not
    change the answer, only whether it can still be read.
    """
    d = t.dataset.c
    if as_of is None:
        return d.status == "LIVE", ~marked(None)
    return d.status != "STAGED", d.created_ns < until_ns(connection, as_of), ~marked(as_of)
