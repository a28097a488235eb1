"""The log of what people did to the registry, append-only; each event is sealed with a hash that covers the one before.

An event's number is the registry's own clock: validity rows carry the number of the event that certified and the one
that revoked them. A changed event, a removed one or an altered validity row shows in `verify_chain` and
`verify_validity`. Cutting events off the end cannot show in the chain itself; keep the last hash elsewhere (a
logbook, a tag) to see that too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, literal, select

from registry.canonical import canonical_json, sha256_json
from registry.errors import InvalidTime, UserError
from registry.sql import tables as t
from registry.times import format_time, now_ns, parse_time
from registry.timespan import FOREVER_NS

_DIGITS_OF_A_DAY = 8
_NEWEST = 500


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event: `seq` counts from one, `at_ns` is TAI, `payload` is what the kind of event needs to be understood."""

    seq: int
    at_ns: int
    actor: str
    kind: str
    reason: str
    payload: Mapping[str, Any]
    prev_hash: str
    hash: str


def append_event(
    connection: Connection, kind: str, *, actor: str, reason: str = "", payload: Mapping[str, Any] | None = None
) -> int:
    """Write an event and return its number."""
    c = t.registry_event.c
    last = connection.execute(select(c.seq, c.at_ns, c.hash).order_by(c.seq.desc()).limit(1)).first()
    values: dict[str, Any] = {
        "seq": last.seq + 1 if last else 1,
        # A clock that was set back must not make a later event look earlier ("as of a time" is looked up by it), nor as
        # early as datasets that were there before it ("as of an event" is, too).
        "at_ns": max(now_ns(), last.at_ns if last else 0, _last_made_ns(connection) + 1),
        "actor": actor,
        "kind": kind,
        "reason": reason,
        "payload": canonical_json(payload or {}),
        "prev_hash": last.hash if last else "",
    }
    connection.execute(insert(t.registry_event).values(**values, hash=_seal(values)))
    return int(values["seq"])


def events(
    connection: Connection,
    *,
    limit: int | None = 100,
    kind: str | None = None,
    since: int = 0,
    until: int | None = None,
) -> list[EventRow]:
    """Return the newest events, newest first; `since` and `until` are numbers of events, both counted in."""
    c = t.registry_event.c
    query = select(t.registry_event).where(c.seq >= since).order_by(c.seq.desc()).limit(limit)
    if kind is not None:
        query = query.where(c.kind == kind)
    if until is not None:
        query = query.where(c.seq <= until)
    return [_event(dict(row)) for row in connection.execute(query).mappings()]


def newest_seq(connection: Connection) -> int:
    """Return the number of the last event; zero before the first."""
    return int(connection.execute(select(func.coalesce(func.max(t.registry_event.c.seq), 0))).scalar_one())


def latest_ns(connection: Connection) -> int:
    """Return the present; the time of the newest event if the clock was set back since: what is made now is later."""
    c = t.registry_event.c
    newest = select(func.max(c.seq)).scalar_subquery()
    return max(now_ns(), connection.execute(select(c.at_ns).where(c.seq == newest)).scalar() or 0)


def latest(connection: Connection) -> ColumnElement[int]:
    """Return what `latest_ns` does as part of a statement, which then needs no question before it."""
    c, now = t.registry_event.c, now_ns()
    newest = select(func.max(c.seq)).scalar_subquery()
    last = select(c.at_ns).where(c.seq == newest).scalar_subquery()
    later = func.greatest if connection.dialect.name == "postgresql" else func.max
    return later(literal(now, c.at_ns.type), func.coalesce(last, 0))


def seq_at(connection: Connection, time_ns: int) -> int:
    """Return the number of the last event at or before a time; zero if there was none."""
    query = select(func.coalesce(func.max(t.registry_event.c.seq), 0)).where(t.registry_event.c.at_ns <= time_ns)
    return int(connection.execute(query).scalar_one())


def seq_of(connection: Connection, moment: str | int) -> int:
    """Return the number of the event that people mean by a number or a time.

    Digits are the number of an event, but eight digits are a day (its 00:00 UTC); anything else is a time, UTC unless
    it says otherwise, and means the last event at or before it: 0 if there was none.

    Raises
    ------
    UserError
        If the event has not happened yet, or the time is in the future: nobody knows what will be certified.
    InvalidTime
        If it is neither a number nor a time.
    """
    text = str(moment).strip()
    if isinstance(moment, int) or (text.isdecimal() and len(text) != _DIGITS_OF_A_DAY):
        refuse_future(connection, int(text))
        return int(text)
    time_ns = _time_of(text)
    if time_ns > now_ns():
        raise UserError(
            f"as of {text}: that is in the future ({format_time(time_ns)})", fix="leave it out to ask as of now"
        )
    return seq_at(connection, time_ns)


def first_seq_of(connection: Connection, moment: str | int) -> int:
    """Return the number of the first event that "since" means: that event, or the first at or after a time.

    Raises
    ------
    InvalidTime
        If it is neither a number nor a time.
    """
    text = str(moment).strip()
    if isinstance(moment, int) or (text.isdecimal() and len(text) != _DIGITS_OF_A_DAY):
        return int(text)
    return seq_at(connection, _time_of(text) - 1) + 1


def _time_of(text: str) -> int:
    """Read a time where the number of an event would do, too."""
    try:
        return parse_time(text)
    except InvalidTime as problem:
        message = f"{problem.message}; or the number of an event"
        raise InvalidTime(message, text=text, fix="isrflow events") from problem


def refuse_future(connection: Connection, as_of: int | None) -> None:
    """Refuse to look at the registry as of an event that is not there yet.

    Raises
    ------
    UserError
        Naming the newest event; who hands over a time instead of a number is caught by this, too.
    """
    newest = newest_seq(connection)
    if as_of is not None and as_of > newest:
        message = f"there is no event {as_of} yet: the newest is {newest}; 'as of' takes the number of an event"
        raise UserError(message, fix="isrflow events")


def until_ns(connection: Connection, as_of: int) -> int:
    """Return when the moment of an event ended (TAI ns): with the next event, or never."""
    following = select(t.registry_event.c.at_ns).where(t.registry_event.c.seq == as_of + 1)
    found = connection.execute(following).scalar()
    return FOREVER_NS if found is None else int(found)


def verify_chain(connection: Connection) -> list[str]:
    """Recompute the chain of hashes and describe every break, in order; an empty list means it is whole."""
    problems: list[str] = []
    expected, prev_hash = 1, ""
    query = select(t.registry_event).order_by(t.registry_event.c.seq)
    for row in connection.execute(query, execution_options={"yield_per": 1000}).mappings():
        values = dict(row)
        stored = values.pop("hash")
        if row["seq"] != expected:
            problems.append(f"event {expected} is gone: the next one found is {row['seq']}")
        if row["prev_hash"] != prev_hash:
            problems.append(f"event {row['seq']} does not follow the one before it: its link was broken")
        if _seal(values) != stored:
            problems.append(f"event {row['seq']} ({row['kind']} by {row['actor']}) was changed after it was written")
        expected, prev_hash = row["seq"] + 1, stored
    return problems


def _last_made_ns(connection: Connection) -> int:
    """Return when the newest datasets were made; writers at work at once publish not quite in the order of rows."""
    newest = select(t.dataset.c.created_ns).order_by(t.dataset.c.id.desc()).limit(_NEWEST).subquery()
    return int(connection.execute(select(func.coalesce(func.max(newest.c.created_ns), 0))).scalar_one())


def _seal(values: Mapping[str, Any]) -> str:
    """Return the hash over all columns but the hash."""
    return sha256_json({name: values[name] for name in _SEALED})


_SEALED = ("seq", "at_ns", "actor", "kind", "reason", "payload", "prev_hash")


def _event(row: dict[str, Any]) -> EventRow:
    """Make the record from a row."""
    return EventRow(**{**row, "payload": json.loads(row["payload"])})
