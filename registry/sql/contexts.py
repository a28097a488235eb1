"""Frozen contexts: a name for where to search, as of which event and by which policies, with a hash to cite.

What a context gives never changes: its chains were opened when it was frozen, and the past does not change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.canonical import canonical_json, sha256_json
from registry.contexts import ContextRow
from registry.errors import ConflictError, UnknownName, UserError
from registry.refs import Policy
from registry.sql import tables as t
from registry.sql.collections import collection_id, flatten
from registry.sql.events import append_event, newest_seq, refuse_future
from registry.sql.policies import policies
from registry.times import now_ns

__all__ = [
    "ContextRow",
    "bind_run",
    "contexts",
    "freeze_context",
    "load_context",
    "refuse_other_context",
    "verify_contexts",
]


def freeze_context(
    connection: Connection,
    name: str,
    collections: Sequence[str],
    *,
    as_of: int | None = None,
    actor: str = "",
    doc: str = "",
) -> ContextRow:
    """Give a name to what would be resolved now, or as of an event, for ever.

    Parameters
    ----------
    connection
        A write transaction.
    name
        A new name.
    collections
        Where to search, in order; chains are opened as they are, or were at the event.
    as_of
        Number of the event to look from; the newest if None.
    actor, doc
        Who, and what for.

    Raises
    ------
    ConflictError
        If the name is taken by a context that differs; the same once more is harmless.
    UnknownName
        If a collection does not exist.
    UserError
        If the name cannot be used, no collection is named, or nothing has happened in the registry yet.
    """
    refuse_future(connection, as_of)
    seq = newest_seq(connection) if as_of is None else as_of
    if seq < 1:
        raise UserError("nothing has happened in this registry yet that could be frozen", fix="isrflow calibs certify")
    if not name or name != name.strip() or not name.isprintable() or any(sign in name for sign in "*?[]'\" "):
        raise UserError(
            f"{name!r} cannot name a context: no quotes, patterns or blanks", fix="isrflow context freeze dr1"
        )
    path = flatten(connection, collections, as_of)
    if not path:
        raise UserError("a context of no collections would find nothing", fix="--collections calibs")
    values = _values(connection, [(one.name, one.kind) for one in path], seq, policies(connection, seq))
    there = connection.execute(_select().where(t.context.c.name == name)).first()
    if there is not None:
        old = _context(there)
        # Without an event of its own, the newest one moves on with every change elsewhere: same name, same question.
        if as_of is not None and old.sha256 == values["sha256"]:
            return old
        raise ConflictError(
            f"there is a context {name} already, frozen as of event {old.event_seq}; it cannot be changed",
            conflicts=[old],
            fix=f"isrflow context show {name}; or freeze another name",
        )
    payload = {"context": name, "sha256": values["sha256"], "event_seq": seq, "collections": [one.name for one in path]}
    append_event(connection, "context", actor=actor, reason=doc, payload=payload)
    row = values | {"name": name, "doc": doc, "owner": actor, "created_ns": now_ns()}
    connection.execute(insert(t.context).values(**row))
    return load_context(connection, name)


def load_context(connection: Connection, name: str) -> ContextRow:
    """Return a context.

    Raises
    ------
    UnknownName
        If there is none of that name.
    """
    row = connection.execute(_select().where(t.context.c.name == name)).first()
    if row is None:
        known = list(connection.execute(select(t.context.c.name)).scalars())
        raise UnknownName(kind="context", name=name, known=known, fix="isrflow context list")
    return _context(row)


def contexts(connection: Connection) -> list[ContextRow]:
    """Return all contexts, in the order in which they were frozen."""
    return [_context(row) for row in connection.execute(_select().order_by(t.context.c.id))]


def verify_contexts(connection: Connection) -> list[str]:
    """Recompute the hash of every context and describe those that are not what was frozen."""
    problems = []
    for row in contexts(connection):
        path = list(zip(row.path, row.kinds, strict=True))
        if _values(connection, path, row.event_seq, row.policies)["sha256"] != row.sha256:
            problems.append(f"context {row.name} is not what was frozen: its hash is another now")
    return problems


def bind_run(connection: Connection, run: str, context: str | None) -> None:
    """Tie a run to the context that its calibrations are taken from; harmless when repeated.

    Raises
    ------
    ConflictError
        If the run was begun with another context, or with none, or now shall do without; both are named.
    UnknownName
        If the run or the context does not exist.
    """
    number = collection_id(connection, run, "RUN")
    refuse_other_context(connection, run, context)
    if context is not None:
        wanted = select(t.context.c.id).where(t.context.c.name == context).scalar_subquery()
        where = (t.run.c.collection_id == number, t.run.c.context_id.is_(None))
        connection.execute(update(t.run).where(*where).values(context_id=wanted))


def refuse_other_context(connection: Connection, run: str, context: str | None) -> None:
    """Refuse to go on with a run under another context; a run that is not there yet, or is empty, takes any.

    Raises
    ------
    ConflictError
        Naming both.
    UnknownName
        If the context does not exist.
    """
    if context is not None:
        load_context(connection, context)
    c, q = t.collection.c, t.quantum.c
    begun = select(func.count()).select_from(t.quantum).where(q.run_id == c.id, q.content_key != "").scalar_subquery()
    query = (
        select(t.context.c.name, begun.label("n_quanta"))
        .join_from(t.run, t.collection, t.run.c.collection_id == c.id)
        .outerjoin(t.context, t.run.c.context_id == t.context.c.id)
        .where(c.name == run)
    )
    row = connection.execute(query).first()
    if row is None or row.name == context or (row.name is None and not row.n_quanta):
        return
    was = f"context {row.name}" if row.name else "no context"
    wanted = f"context {context}" if context else "no context"
    raise ConflictError(
        f"run {run} was begun with {was}; it cannot go on with {wanted}",
        conflicts=[row.name, context],
        fix=f"give --context {row.name}, or choose another run" if row.name else "choose another run",
    )


def _values(
    connection: Connection, path: Sequence[tuple[str, str]], seq: int, decided: Mapping[str, Policy]
) -> dict[str, Any]:
    """Return the columns that make the content of a context; the hash covers the event's, and so all before it."""
    e = t.registry_event.c
    event_hash = connection.execute(select(e.hash).where(e.seq == seq)).scalar_one()
    plain = {name: policy.to_dict() for name, policy in decided.items()}
    sealed = {"collections": [list(one) for one in path], "policies": plain, "event": [seq, event_hash]}
    return {
        "event_seq": seq,
        "path": canonical_json([list(one) for one in path]),
        "policies": canonical_json(plain),
        "sha256": sha256_json(sealed),
    }


def _select() -> Select[Any]:
    c = t.context.c
    return select(c.name, c.event_seq, c.path, c.policies, c.sha256, c.doc, c.owner, c.created_ns)


def _context(row: Row[Any]) -> ContextRow:
    path = json.loads(row.path)
    decided = {name: Policy(**values) for name, values in json.loads(row.policies).items()}
    names, kinds = tuple(one[0] for one in path), tuple(one[1] for one in path)
    return ContextRow(row.name, row.event_seq, names, kinds, decided, row.sha256, row.doc, row.owner, row.created_ns)
