"""Everything that was made with some datasets, generation by generation.

A generation costs a few queries, however many datasets are in it: what used them (as data or as calibrations), and
what came of that. Only what is published counts as made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, select, union

from registry.sql import tables as t
from registry.sql.bulk import chunks

GONE = ("STAGED",)
"""Statuses of datasets that are not there yet."""


class Made(NamedTuple):
    """A dataset that was made, in rows; `generation` counts from one, `size` is that of its file in bytes."""

    dataset_id: int
    type_id: int
    run_id: int
    instrument_id: int
    exposure_id: int
    detector_id: int
    filter_id: int
    status: str
    size: int
    quantum_id: int
    generation: int


class Worked(NamedTuple):
    """A quantum that used something, in rows, with what its latest attempt took."""

    quantum_id: int
    run_id: int
    state: str
    cpu_s: float | None
    seconds: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class Downstream:
    """All quanta that used the roots or what was made with them, and all that came of it."""

    quanta: Sequence[Worked]
    made: Sequence[Made]


def walk_down(connection: Connection, roots: Iterable[int]) -> Downstream:
    """Follow datasets, by row, to all that was made with them."""
    generation = sorted(set(roots))
    seen = set(generation)
    quanta: dict[int, Worked] = {}
    made: list[Made] = []
    number = 0
    while generation:
        number += 1
        fresh = [row for row in _users(connection, generation, number) if row.quantum_id not in quanta]
        quanta.update((row.quantum_id, row) for row in fresh)
        new = [row for row in _outputs(connection, [q.quantum_id for q in fresh], number) if row.dataset_id not in seen]
        seen.update(row.dataset_id for row in new)
        made += new
        generation = [row.dataset_id for row in new]
    return Downstream(list(quanta.values()), made)


def _users(connection: Connection, datasets: Sequence[int], number: int) -> list[Worked]:
    """Return the quanta that used datasets, each once."""
    found: dict[int, Worked] = {}
    for some in chunks(datasets):
        for row in connection.execute(_users_select(some)):
            found[row.id] = Worked(row.id, row.run_id, row.state, row.cpu_s, row.seconds, number)
    return [found[key] for key in sorted(found)]


def _users_select(datasets: Sequence[int]) -> Select[Any]:
    q, a, m, i = t.quantum.c, t.quantum_attempt.c, t.calib_set_member.c, t.quantum_input.c
    in_sets = select(m.set_id).where(m.dataset_id.in_(datasets)).distinct()
    by_calib = select(q.id).where(q.calib_set_id.in_(in_sets))
    by_data = select(i.quantum_id).where(i.dataset_id.in_(datasets))
    users = union(by_calib, by_data).subquery("users")
    return (
        select(q.id, q.run_id, q.state, a.cpu_s, a.seconds)
        .join_from(users, t.quantum, q.id == users.c[0])
        .outerjoin(t.quantum_attempt, and_(a.quantum_id == q.id, a.number == q.attempt))
    )


def _outputs(connection: Connection, quanta: Sequence[int], number: int) -> list[Made]:
    """Return what was published by quanta."""
    o, d, a = t.quantum_output.c, t.dataset.c, t.artifact.c
    query = (
        select(d.id, d.type_id, d.run_id, *(d[name] for name in t.DATA_ID), d.status, a.size, o.quantum_id)
        .join_from(t.quantum_output, t.dataset, d.id == o.dataset_id)
        .outerjoin(t.artifact, a.dataset_id == d.id)
        .where(d.status.not_in(GONE))
    )
    found: list[Made] = []
    for some in chunks(quanta):
        rows = connection.execute(query.where(o.quantum_id.in_(some))).all()
        found += [Made(*row[:8], row[8] or 0, row[9], number) for row in rows]
    return sorted(found)
