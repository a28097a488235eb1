"""Work that is done, but has lost a product: planned again, under the same ids, with an event that says why.

A product that was deleted is lost, too: whoever runs the same work again asks for it.

The quantum keeps its content key, its inputs and its attempts; what it made and still has stays LIVE. Until it is done
again it can only be planned with the same content, so that those products never seem to have been made otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, select, update

from registry.refs import DatasetRef, QuantumRow
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks, in_order
from registry.sql.datasets import load_refs, refs_by_row
from registry.sql.events import append_event


def products_of_done(connection: Connection, quanta: Iterable[UUID]) -> list[DatasetRef]:
    """Return the published products of those quanta that are done."""
    o, q = t.quantum_output.c, t.quantum.c
    made: list[int] = []
    for some in chunks(in_order(quanta)):
        query = (
            select(o.dataset_id)
            .join(t.quantum, q.id == o.quantum_id)
            .where(among(connection, q.uuid, some), q.state == "done")
        )
        made += connection.execute(query).scalars()
    return [ref for ref in refs_by_row(connection, made).values() if ref.status in {"LIVE", "MISSING"}]


def plan_remaking(connection: Connection, run: str, done: Sequence[QuantumRow], *, actor: str) -> dict[int, str]:
    """Plan those quanta again that have lost a product; return the explanation of each by its row."""
    lost = _lost(connection, [row.id for row in done])
    if not lost:
        return {}
    for some in chunks(sorted(lost)):
        connection.execute(
            update(t.quantum).where(among(connection, t.quantum.c.id, some)).values(state="planned", retriable=1)
        )
    payload = {"run": run, "quanta": len(lost), "lost": [str(ref.id) for refs in lost.values() for ref in refs]}
    append_event(connection, "remake", actor=actor, reason="files of products are gone", payload=payload)
    return {
        row: "made again: the file is gone of " + ", ".join(f"{ref.type} {ref.short}{_whither(ref)}" for ref in refs)
        for row, refs in lost.items()
    }


def with_products(connection: Connection, quanta: Iterable[int]) -> set[int]:
    """Return those quanta that have published something."""
    o = t.quantum_output.c
    found: set[int] = set()
    for some in chunks(sorted(set(quanta))):
        found.update(connection.execute(select(o.quantum_id).where(among(connection, o.quantum_id, some))).scalars())
    return found


def _whither(ref: DatasetRef) -> str:
    return " (it was deleted)" if ref.status == "PURGED" else ""


def _lost(connection: Connection, quanta: Sequence[int]) -> dict[int, list[DatasetRef]]:
    """Return the lost products of each quantum that has lost any."""
    o, d = t.quantum_output.c, t.dataset.c
    maker: dict[UUID, int] = {}
    for some in chunks(quanta):
        query = select(d.uuid, o.quantum_id).join(t.dataset, d.id == o.dataset_id)
        query = query.where(among(connection, o.quantum_id, some), d.status.in_(("MISSING", "PURGED")))
        maker |= {row.uuid: row.quantum_id for row in connection.execute(query)}
    lost: defaultdict[int, list[DatasetRef]] = defaultdict(list)
    for ids in chunks(sorted(maker)):
        for ref in load_refs(connection, d.uuid.in_(ids)):
            lost[maker[ref.id]].append(ref)
    return dict(lost)
