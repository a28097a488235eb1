"""Why datasets may not be deleted: everything that certifies, uses, selects or cites them, all at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.contexts import ContextRow, contexts
from registry.sql.remembered import counts
from registry.sql.validity_rows import Stamp
from registry.times import format_time, spell_span
from registry.timespan import Timespan

BlockerKind = Literal["certified", "used", "planned", "tagged", "cited", "frozen"]
Doomed = Mapping[int, DatasetRef]
"""What shall be deleted, by its row."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why a dataset may not be deleted, and the command that removes the reason."""

    dataset: UUID
    kind: BlockerKind
    what: str
    fix: str

    def to_dict(self) -> dict[str, str]:
        """Return plain values, for JSON."""
        return {"dataset": str(self.dataset), "kind": self.kind, "what": self.what, "fix": self.fix}


def blockers(connection: Connection, doomed: Doomed) -> list[Blocker]:
    """Return every reason not to delete datasets; what only they use among themselves is none."""
    found: list[Blocker] = []
    for some in chunks(sorted(doomed)):
        for question in (_certified, _used, _planned, _tagged, _frozen):
            found += question(connection, doomed, some)
    found += _cited(connection, doomed)
    order = {ref.id: place for place, ref in enumerate(doomed.values())}
    return sorted(found, key=lambda blocker: order[blocker.dataset])


def _certified(connection: Connection, doomed: Doomed, some: Sequence[int]) -> Iterator[Blocker]:
    v, e = t.calib_validity.c, t.registry_event.c
    query = (
        select(v.dataset_id, t.collection.c.name, v.begin_ns, v.end_ns, e.seq, e.at_ns, e.actor, e.reason)
        .join_from(t.calib_validity, t.collection, t.collection.c.id == v.collection_id)
        .join(t.registry_event, e.seq == v.certified_at)
        .where(v.dataset_id.in_(some), v.revoked_at == t.OPEN_ENDED)
        .order_by(v.id)
    )
    for row in connection.execute(query):
        ref, stamp = doomed[row.dataset_id], Stamp(row.seq, row.at_ns, row.actor, row.reason)
        what = f"certified in {row.name} {spell_span(Timespan(row.begin_ns, row.end_ns))} {stamp}"
        fix = f"isrflow calibs decertify {ref.short} --collection {row.name}"
        yield Blocker(ref.id, "certified", what, fix)


def _used(connection: Connection, doomed: Doomed, some: Sequence[int]) -> Iterator[Blocker]:
    """Find what was made of them and is still there; a million products are counted, not kept."""
    o, d = t.quantum_output.c, t.dataset.c
    number: Counter[int] = Counter()
    first: dict[int, list[UUID]] = defaultdict(list)
    for use in _uses(some):
        uses = use.subquery()
        query = (
            select(uses.c.source, d.id, d.uuid)
            .join_from(uses, t.quantum_output, o.quantum_id == uses.c.quantum_id)
            .join(t.dataset, d.id == o.dataset_id)
            .where(d.status.in_(("STAGED", "LIVE", "MISSING")))
        )
        for source, product, uuid in connection.execute(query, execution_options={"yield_per": 1000}):
            if product not in doomed:
                number[source] += 1
                if len(first[source]) < 3:
                    first[source].append(uuid)
    for source, n in sorted(number.items()):
        ref = doomed[source]
        names = ", ".join(uuid.hex[:8] for uuid in first[source]) + (", ..." if n > 3 else "")
        what = f"{n} product(s) that were made of it are there: {names}"
        yield Blocker(
            ref.id, "used", what, f"isrflow lineage {ref.short} --down; delete the products first, or with it"
        )


def _planned(connection: Connection, doomed: Doomed, some: Sequence[int]) -> Iterator[Blocker]:
    q = t.quantum.c
    number: Counter[tuple[int, str]] = Counter()
    for use in _uses(some):
        uses = use.subquery()
        query = (
            select(uses.c.source, t.collection.c.name, func.count().label("n"))
            .join_from(uses, t.quantum, q.id == uses.c.quantum_id)
            .join(t.collection, t.collection.c.id == q.run_id)
            .where(q.state.in_(("planned", "leased")))
            .group_by(uses.c.source, t.collection.c.name)
        )
        for row in connection.execute(query):
            number[row.source, row.name] += row.n
    for (source, run), n in sorted(number.items()):
        ref = doomed[source]
        fix = f"finish or give up the run first: isrflow query quanta \"run = '{run}'\""
        yield Blocker(ref.id, "planned", f"{n} quanta of run {run} that are not done want it", fix)


def _uses(some: Sequence[int]) -> tuple[Select[Any], Select[Any]]:
    """Return the two ways in which a dataset goes into a quantum: as data, and as a calibration."""
    i, m, q = t.quantum_input.c, t.calib_set_member.c, t.quantum.c
    as_data = select(i.dataset_id.label("source"), i.quantum_id.label("quantum_id")).where(i.dataset_id.in_(some))
    as_calib = (
        select(m.dataset_id.label("source"), q.id.label("quantum_id"))
        .join_from(t.calib_set_member, t.quantum, q.calib_set_id == m.set_id)
        .where(m.dataset_id.in_(some))
    )
    return as_data, as_calib


def _tagged(connection: Connection, doomed: Doomed, some: Sequence[int]) -> Iterator[Blocker]:
    g, e = t.dataset_tag.c, t.registry_event.c
    query = (
        select(g.dataset_id, t.collection.c.name, e.seq, e.at_ns, e.actor, e.reason)
        .join_from(t.dataset_tag, t.collection, t.collection.c.id == g.collection_id)
        .outerjoin(t.registry_event, e.seq == g.added_at)
        .where(g.dataset_id.in_(some), counts(t.dataset_tag, None))
        .order_by(g.id)
    )
    for row in connection.execute(query):
        ref = doomed[row.dataset_id]
        stamp = "" if row.seq is None else f" {Stamp(row.seq, row.at_ns, row.actor, row.reason)}"
        fix = f"isrflow collections untag {row.name} {ref.short}"
        yield Blocker(ref.id, "tagged", f"tagged in {row.name}{stamp}", fix)


def _frozen(connection: Connection, doomed: Doomed, some: Sequence[int]) -> Iterator[Blocker]:
    d, c = t.dataset.c, t.collection.c
    query = select(d.id, c.name).join(t.collection, c.id == d.run_id).where(d.id.in_(some), c.frozen == 1)
    for row in connection.execute(query.order_by(d.id)):
        what = f"its run {row.name} is frozen: it was promised to stay as it is"
        yield Blocker(doomed[row.id].id, "frozen", what, "leave it: a frozen run is not changed")


def _cited(connection: Connection, doomed: Doomed) -> Iterator[Blocker]:
    """Find the frozen contexts in which they can be found, now and for ever."""
    for context in contexts(connection):
        seen = {
            row
            for some in chunks(sorted(doomed))
            for query in _reached(context, some)
            for row in connection.execute(query).scalars()
        }
        for row in sorted(seen):
            ref = doomed[row]
            what = f"context {context.name}, frozen {format_time(context.created_ns)} by {context.owner}, can find it"
            yield Blocker(ref.id, "cited", what, "leave it: what is cited must stay")


def _reached(context: ContextRow, some: Sequence[int]) -> tuple[Select[Any], ...]:
    """Return the questions that find datasets in a context: certified, tagged, in a run, as of its event."""
    v, g, d, c = t.calib_validity.c, t.dataset_tag.c, t.dataset.c, t.collection.c
    seq = context.event_seq

    def within(column: ColumnElement[int]) -> ColumnElement[bool]:
        return and_(column == c.id, c.name.in_(context.path))

    certified = (
        select(v.dataset_id)
        .join(t.collection, within(v.collection_id))
        .where(v.dataset_id.in_(some), v.certified_at <= seq, seq < v.revoked_at)
    )
    tagged = (
        select(g.dataset_id)
        .join(t.collection, within(g.collection_id))
        .where(g.dataset_id.in_(some), counts(t.dataset_tag, seq))
    )
    in_run = (
        select(d.id)
        .join(t.collection, within(d.run_id))
        .join(t.dataset_type, t.dataset_type.c.id == d.type_id)
        .where(d.id.in_(some), t.dataset_type.c.is_calibration == 1, d.created_ns <= context.created_ns)
    )
    return certified, tagged, in_run
