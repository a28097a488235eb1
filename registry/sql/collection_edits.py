"""Changes of collections: chains edited link by link, tags taken back, runs frozen; each is an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select, update

from registry.errors import UnknownName, UserError
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.collections import collection_id, collections, refuse_frozen, set_chain
from registry.sql.events import append_event
from registry.sql.remembered import counts, take_back

Edit = Literal["set", "prepend", "append", "remove"]


@dataclass(frozen=True, slots=True)
class ChainEdit:
    """What became of a chain; `seq` is the event, None if nothing changed."""

    name: str
    was: tuple[str, ...]
    children: tuple[str, ...]
    seq: int | None


def edit_chain(
    connection: Connection, name: str, names: Sequence[str], how: Edit = "set", *, actor: str, reason: str = ""
) -> ChainEdit:
    """Change what a chain searches; one that is not there is made.

    Parameters
    ----------
    name
        The chain.
    names
        Other collections, in order.
    how
        ``set``: search these alone; ``prepend`` or ``append`` them, or move them there; ``remove`` them.

    Raises
    ------
    UnknownName
        If a collection does not exist, or one to be removed is not in the chain.
    ConflictError
        If the chain would contain itself (the way round is shown), or a child is named twice.
    FrozenError
        If it is frozen.
    """
    there = [one for one in collections(connection, name) if one.name == name]
    was = there[0].children if there else ()
    absent = [one for one in names if how == "remove" and one not in was]
    if absent:
        held = ", ".join(was) or "nothing"
        message = f"chain {name} does not hold {', '.join(absent)}; it holds {held}"
        raise UnknownName(message, kind="child", name=absent[0], known=was)
    rest = [one for one in was if one not in names]
    children = {"set": [*names], "prepend": [*names, *rest], "append": [*rest, *names], "remove": rest}[how]
    seq = set_chain(connection, name, children, actor=actor, reason=reason)
    return ChainEdit(name, was, tuple(children), seq)


def untag(connection: Connection, name: str, refs: Sequence[DatasetRef], *, actor: str, reason: str = "") -> int:
    """Take datasets out of a TAGGED collection; that they were in it can be asked as of events before.

    Returns
    -------
    int
        How many were in it; nothing is written if none was.

    Raises
    ------
    UnknownName, ConflictError
        If there is no such collection, or it is not TAGGED.
    FrozenError
        If it is frozen.
    """
    number = collection_id(connection, name, "TAGGED")
    refuse_frozen(connection, name)
    d, g = t.dataset.c, t.dataset_tag.c
    found = [
        row
        for some in chunks(sorted({ref.id for ref in refs}))
        for row in connection.execute(
            select(g.id, d.uuid)
            .join_from(t.dataset_tag, t.dataset, d.id == g.dataset_id)
            .where(g.collection_id == number, counts(t.dataset_tag, None), d.uuid.in_(some))
            .order_by(g.id)
        )
    ]
    if found:
        payload = {"collection": name, "datasets": [str(row.uuid) for row in found]}
        seq = append_event(connection, "untag", actor=actor, reason=reason, payload=payload)
        take_back(connection, t.dataset_tag, [row.id for row in found], seq)
    return len(found)


def freeze(connection: Connection, name: str, *, actor: str, reason: str) -> int | None:
    """Let a collection change no more: a run takes no datasets, a tag no members, a chain no children.

    Returns
    -------
    int or None
        The event; None if it is frozen already.

    Raises
    ------
    UnknownName
        If there is no such collection.
    UserError
        If no reason is given, or it is a CALIBRATION collection: those are frozen by a context.
    """
    number = collection_id(connection, name)
    c = t.collection.c
    row = connection.execute(select(c.kind, c.frozen).where(c.id == number)).one()
    if row.kind == "CALIBRATION":
        raise UserError(
            f"{name} goes on being certified into; what it says now is kept by a context",
            fix=f"isrflow context freeze NAME --collections {name}",
        )
    if not reason.strip():
        raise UserError(f"freezing {name} wants a reason: it is for ever", fix='--reason "..."')
    if row.frozen:
        return None
    seq = append_event(connection, "freeze", actor=actor, reason=reason, payload={"collection": name})
    connection.execute(update(t.collection).where(c.id == number).values(frozen=1))
    return seq


def members(connection: Connection, name: str) -> dict[str, int]:
    """Return how many datasets of each type a collection holds: published, tagged or certified now; not of a chain."""
    number = collection_id(connection, name)
    d, g, v = t.dataset.c, t.dataset_tag.c, t.calib_validity.c
    kind = connection.execute(select(t.collection.c.kind).where(t.collection.c.id == number)).scalar_one()
    inside = {
        "RUN": (d.run_id == number) & d.status.in_(("LIVE", "MISSING")),
        "TAGGED": d.id.in_(select(g.dataset_id).where(g.collection_id == number, counts(t.dataset_tag, None))),
        "CALIBRATION": d.id.in_(select(v.dataset_id).where(v.collection_id == number, v.revoked_at == t.OPEN_ENDED)),
    }
    if kind not in inside:
        return {}
    query = select(t.dataset_type.c.name, func.count()).join(t.dataset, d.type_id == t.dataset_type.c.id)
    query = query.where(inside[kind]).group_by(t.dataset_type.c.name).order_by(t.dataset_type.c.name)
    return {row[0]: row[1] for row in connection.execute(query)}
