"""Everything that was made with some datasets, generation by generation.

A generation costs one query for every few thousand datasets in it: what used them (as data or as calibrations), and
what came of that. Only what is published counts as made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select, union

from registry.sql import tables as t
from registry.sql.bulk import chunks


class Made(NamedTuple):
    """A dataset that was made, in rows; `generation` counts from one, `size` is that of its file in bytes."""

    dataset_id: int
    type_id: int
    run_id: int
    exposure_id: int
    day_obs: int
    status: str
    size: int
    quantum_id: int
    generation: int


class Worked(NamedTuple):
    """A quantum that used something, in rows, with what its latest attempt took."""

    quantum_id: int
    state: str
    cpu_s: float | None
    seconds: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class Downstream:
    """All quanta that used the roots or what was made with them, and all that came of it."""

    quanta: Sequence[Worked]
    made: Sequence[Made]


def walk_down(connection: Connection, roots: Iterable[int], *, not_through: Collection[int] = ()) -> Downstream:
    """Follow datasets, by row, to all that was made with them.

    Parameters
    ----------
    connection
        An open transaction.
    roots
        Where to begin.
    not_through
        Rows of dataset types that are found, but not followed further.
    """
    generation = sorted(set(roots))
    seen = set(generation)
    quanta: dict[int, Worked] = {}
    made: list[Made] = []
    number = 0
    while generation:
        number += 1
        fresh: dict[int, Worked] = {}
        new: list[Made] = []
        for row in _used(connection, generation):
            quantum, state, cpu_s, seconds, *made_row = row
            if quantum in quanta:
                continue
            fresh[quantum] = Worked(quantum, state, cpu_s, seconds, number)
            one = Made._make((*made_row, quantum, number))
            if one.dataset_id is not None and one.status != "STAGED" and one.dataset_id not in seen:
                seen.add(one.dataset_id)
                new.append(one)
        quanta |= fresh
        made += new
        generation = sorted(one.dataset_id for one in new if one.type_id not in not_through)
    return Downstream(list(quanta.values()), sorted(made))


def _used(connection: Connection, datasets: Sequence[int]) -> Iterator[Any]:
    """Yield the quanta that used datasets, each with one of its outputs, or none."""
    for some in chunks(datasets):
        yield from connection.execute(_used_select(some)).all()


def _used_select(datasets: Sequence[int]) -> Select[Any]:
    q, a, m, i = t.quantum.c, t.quantum_attempt.c, t.calib_set_member.c, t.quantum_input.c
    o, d, f, e = t.quantum_output.c, t.dataset.c, t.artifact.c, t.exposure.c
    in_sets = select(m.set_id).where(m.dataset_id.in_(datasets)).distinct()
    by_calib = select(q.id).where(q.calib_set_id.in_(in_sets))
    by_data = select(i.quantum_id).where(i.dataset_id.in_(datasets))
    users = union(by_calib, by_data).subquery("users")
    return (
        select(q.id, q.state, a.cpu_s, a.seconds)
        .add_columns(d.id, d.type_id, d.run_id, d.exposure_id, e.day_obs, d.status, func.coalesce(f.size, 0))
        .join_from(users, t.quantum, q.id == users.c[0])
        .outerjoin(t.quantum_attempt, and_(a.quantum_id == q.id, a.number == q.attempt))
        .outerjoin(t.quantum_output, o.quantum_id == q.id)
        .outerjoin(t.dataset, d.id == o.dataset_id)
        .outerjoin(t.artifact, f.dataset_id == d.id)
        .outerjoin(t.exposure, e.id == d.exposure_id)
    )
