"""Collections.

RUN owns datasets, TAGGED selects them, CALIBRATION gives them validity, CHAINED is an ordered search path.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from sqlalchemy import Connection, delete, func, insert, select

from registry.errors import ConflictError, FrozenError, UnknownName, UserError, listed
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.chains import CHAIN_EVENT, children_at
from registry.sql.collection_names import checked_name, normalised
from registry.sql.events import append_event
from registry.sql.remembered import counts
from registry.times import now_ns

CollectionKind = Literal["RUN", "TAGGED", "CHAINED", "CALIBRATION"]


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection; `children` of a chain in search order, `n_datasets` the members of any other kind."""

    name: str
    kind: str
    children: tuple[str, ...]
    n_datasets: int
    doc: str
    owner: str
    created_ns: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class FlatCollection:
    """One step of a search path: never a chain."""

    id: int
    name: str
    kind: str


def register_collection(
    connection: Connection, name: str, kind: CollectionKind, *, doc: str = "", owner: str = "", flow_run: str = ""
) -> int:
    """Add a collection, or find it if it exists with the same kind; return its row.

    Raises
    ------
    ConflictError
        If it exists with another kind.
    UserError
        If the name or the kind cannot be used.
    """
    if kind not in t.COLLECTION_KINDS:
        raise UserError(f"'{kind}' is not a kind of collection; there is {', '.join(t.COLLECTION_KINDS)}")
    known = _all(connection)
    there = known.get(name) or known.get(normalised(name))
    if there is not None:
        if there.kind != kind:
            raise ConflictError(f"collection {name} exists as {there.kind}, not {kind}", conflicts=[name])
        return there.id
    name = checked_name(name)
    values = {"name": name, "kind": kind, "doc": doc, "owner": owner, "created_ns": now_ns()}
    connection.execute(insert(t.collection).values(**values))
    number = _all(connection)[name].id
    if kind == "RUN":
        started = {"collection_id": number, "host": socket.gethostname(), "flow_run": flow_run, "started_ns": now_ns()}
        connection.execute(insert(t.run).values(**started))
    return number


def set_chain(
    connection: Connection, name: str, children: Sequence[str], *, actor: str = "", reason: str = ""
) -> int | None:
    """Say what a chain searches, in order; it is made if it does not exist.

    Returns
    -------
    int or None
        The event, which says what the chain holds and what it held; None if that is the same.

    Raises
    ------
    UnknownName
        If a child does not exist.
    ConflictError
        If the chain would contain itself (the way round is shown), or a child is named twice.
    FrozenError
        If it is frozen.
    """
    parent = register_collection(connection, name, "CHAINED", owner=actor)
    refuse_frozen(connection, name)
    known = _all(connection)
    name, children = _one(known, name).name, [_one(known, child).name for child in children]
    ids = [known[child].id for child in children]
    if len(set(ids)) < len(ids):
        raise ConflictError(f"chain {name} would name a child twice: {', '.join(children)}", conflicts=list(children))
    below = _children(connection)
    for child in children:
        way = _way(child, name, below)
        if way:
            raise ConflictError(f"chain {name} would contain itself: {' -> '.join([name, *way])}", conflicts=way)
    was = list(below.get(name, ()))
    if was == children:
        return None
    payload = {"chain": name, "children": children, "was": was}
    seq = append_event(connection, CHAIN_EVENT, actor=actor, reason=reason, payload=payload)
    connection.execute(delete(t.collection_chain).where(t.collection_chain.c.parent_id == parent))
    rows = [{"parent_id": parent, "position": i, "child_id": child} for i, child in enumerate(ids)]
    insert_rows(connection, t.collection_chain, rows)
    return seq


def flatten(connection: Connection, names: Sequence[str], as_of: int | None = None) -> list[FlatCollection]:
    """Return the search path that names stand for: chains opened in order, each collection once, at its first place.

    As of an event, chains hold what they held then.

    Raises
    ------
    UnknownName
        If a name does not exist.
    """
    known, below = _all(connection), _children(connection)
    below |= {} if as_of is None else children_at(connection, as_of)
    path: dict[str, FlatCollection] = {}

    def visit(name: str) -> None:
        one = _one(known, name)
        if one.kind == "CHAINED":
            for child in below.get(name, ()):
                visit(child)
        else:
            path.setdefault(name, one)

    for name in names:
        visit(name)
    return list(path.values())


def collection_id(connection: Connection, name: str, kind: CollectionKind | None = None) -> int:
    """Return the row of a collection, insisting on a kind if one is given.

    Raises
    ------
    UnknownName
        If it does not exist.
    ConflictError
        If it is of another kind.
    """
    c = t.collection.c  # one row, not all: there is a run for every night
    one = connection.execute(select(c.id, c.kind).where(c.name == name)).first() or _one(_all(connection), name)
    if kind is not None and one.kind != kind:
        raise ConflictError(f"collection {name} is {one.kind}; this needs a {kind} collection", conflicts=[name])
    return int(one.id)


def run_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the rows of RUN collections."""
    return {name: collection_id(connection, name, "RUN") for name in sorted(set(names))}


def tag(connection: Connection, name: str, refs: Sequence[DatasetRef], *, actor: str = "", reason: str = "") -> int:
    """Put datasets into a TAGGED collection, which is made if it does not exist; return how many were new.

    Raises
    ------
    ConflictError
        If it already holds other datasets of the same type and data id, or two of these share one; all are listed.
    """
    number = register_collection(connection, name, "TAGGED", owner=actor)
    refuse_frozen(connection, name)
    d, g = t.dataset.c, t.dataset_tag.c
    columns = (d.id, d.uuid, d.type_id, d.instrument_id, d.exposure_id, d.detector_id, d.filter_id)
    rows = [
        row
        for some in chunks(sorted({ref.id for ref in refs}))
        for row in connection.execute(select(*columns).where(d.uuid.in_(some)))
    ]
    known = select(g.type_id, g.instrument_id, g.exposure_id, g.detector_id, g.filter_id, g.dataset_id)
    holder = {
        tuple(row[:5]): row[5]
        for row in connection.execute(known.where(g.collection_id == number, counts(t.dataset_tag, None)))
    }
    stored = set(holder.values())
    clashes = [row.uuid for row in rows if holder.setdefault(tuple(row[2:]), row.id) != row.id]
    if clashes:
        lines = listed(ref for ref in refs if ref.id in set(clashes))
        what = "holds other datasets" if stored else "cannot hold several datasets"
        message = f"collection {name} {what} of the same type and data id; nothing was tagged:\n{lines}"
        raise ConflictError(message, conflicts=clashes, fix="choose one of each, for example: --where \"run = 'RUN'\"")
    fresh = [row for row in rows if row.id not in stored]
    if not fresh:
        return 0
    payload = {"collection": name, "datasets": [str(row.uuid) for row in fresh]}
    seq = append_event(connection, "tag", actor=actor, reason=reason, payload=payload)
    new = [
        {"collection_id": number, "dataset_id": row.id, "added_at": seq}
        | dict(zip(("type_id", *t.DATA_ID), row[2:], strict=True))
        for row in fresh
    ]
    insert_rows(connection, t.dataset_tag, new)
    return len(new)


def collections(connection: Connection, pattern: str = "*") -> list[CollectionRow]:
    """Return the collections whose name fits a shell pattern, by name."""
    below, counts = _children(connection), _member_counts(connection)
    c = t.collection.c
    query = select(c.id, c.name, c.kind, c.doc, c.owner, c.created_ns, c.frozen).order_by(c.name)
    return [
        CollectionRow(
            r.name, r.kind, below.get(r.name, ()), counts.get(r.id, 0), r.doc, r.owner, r.created_ns, bool(r.frozen)
        )
        for r in connection.execute(query)
        if fnmatchcase(r.name, pattern)
    ]


def refuse_frozen(connection: Connection, name: str) -> None:
    """Refuse a change of a frozen collection, or new datasets in a frozen run.

    Raises
    ------
    FrozenError
        Saying what to do instead.
    """
    c = t.collection.c
    row = connection.execute(select(c.kind, c.frozen).where(c.name.in_((name, normalised(name))))).one()
    if row.frozen:
        fix = "work into another run: isrflow reprocess WHERE --out RUN" if row.kind == "RUN" else "make another one"
        raise FrozenError(f"collection {name} is frozen: nothing in it changes any more", name=name, fix=fix)


def _member_counts(connection: Connection) -> dict[int, int]:
    """Count published datasets of runs, tagged ones, and those with an open validity."""
    d, g, v = t.dataset.c, t.dataset_tag.c, t.calib_validity.c
    queries = (
        select(d.run_id, func.count()).where(d.status.in_(("LIVE", "MISSING"))).group_by(d.run_id),
        select(g.collection_id, func.count()).where(counts(t.dataset_tag, None)).group_by(g.collection_id),
        select(v.collection_id, func.count(v.dataset_id.distinct()))
        .where(v.revoked_at == t.OPEN_ENDED)
        .group_by(v.collection_id),
    )
    return {row[0]: row[1] for query in queries for row in connection.execute(query)}


def _all(connection: Connection) -> dict[str, FlatCollection]:
    """Return all collections by name."""
    query = select(t.collection.c.id, t.collection.c.name, t.collection.c.kind)
    return {row.name: FlatCollection(row.id, row.name, row.kind) for row in connection.execute(query)}


def _one(known: dict[str, FlatCollection], name: str) -> FlatCollection:
    """Return a collection, or refuse the name."""
    found = known.get(name) or known.get(normalised(name))
    if found is None:
        raise UnknownName(kind="collection", name=name, known=list(known), fix="isrflow collections list")
    return found


def _children(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the children of every chain, in order."""
    parent, child, link = t.collection.alias(), t.collection.alias(), t.collection_chain
    query = (
        select(parent.c.name, child.c.name)
        .join_from(link, parent, link.c.parent_id == parent.c.id)
        .join(child, link.c.child_id == child.c.id)
        .order_by(link.c.parent_id, link.c.position)
    )
    below: dict[str, tuple[str, ...]] = {}
    for name, one in connection.execute(query):
        below[name] = (*below.get(name, ()), one)
    return below


def _way(start: str, goal: str, below: dict[str, tuple[str, ...]]) -> list[str]:
    """Return a way down from one collection to another, both included; empty if there is none."""
    if start == goal:
        return [start]
    for child in below.get(start, ()):
        rest = _way(child, goal, below)
        if rest:
            return [start, *rest]
    return []
