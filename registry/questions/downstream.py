"""Everything that was made with some datasets, generation by generation.

A generation costs a few queries for every few thousand datasets in it: what used them (as data or as calibrations), and
what came of that. Only what is published counts as made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from registry.sql import tables as t
from registry.sql.among import among
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
        fresh = _users(connection, generation, quanta.keys(), number)
        quanta |= fresh
        new = [one for one in _outputs(connection, sorted(fresh), number) if one.dataset_id not in seen]
        seen.update(one.dataset_id for one in new)
        made += new
        generation = sorted(one.dataset_id for one in new if one.type_id not in not_through)
    return Downstream(list(quanta.values()), sorted(made))


def _users(connection: Connection, datasets: Sequence[int], known: Collection[int], number: int) -> dict[int, Worked]:
    """Return the quanta that used datasets and are not known yet, by row.

    Every list is fetched before it is asked with: with nested queries PostgreSQL reads whole tables.
    """
    q, m, i = t.quantum.c, t.calib_set_member.c, t.quantum_input.c
    sets: set[int] = set()
    ids: set[int] = set()
    for some in chunks(datasets):
        of_set = select(m.set_id).where(among(connection, m.dataset_id, some)).distinct()
        sets.update(connection.execute(of_set).scalars())
        read = select(i.quantum_id).where(among(connection, i.dataset_id, some))
        ids.update(connection.execute(read).scalars())
    found = {row.quantum_id: row for row in _worked(connection, q.calib_set_id, sorted(sets), number)}
    others = sorted(ids - found.keys() - set(known))
    found |= {row.quantum_id: row for row in _worked(connection, q.id, others, number)}
    return {key: row for key, row in found.items() if key not in known}


def _worked(connection: Connection, column: ColumnElement[int], rows: Sequence[int], number: int) -> list[Worked]:
    """Return quanta by row, or by the set of their calibrations."""
    q, a = t.quantum.c, t.quantum_attempt.c
    latest = and_(a.quantum_id == q.id, a.number == q.attempt)
    query = select(q.id, q.state, a.cpu_s, a.seconds).outerjoin(t.quantum_attempt, latest)
    return [
        Worked(row[0], row[1], row[2], row[3], number)
        for some in chunks(rows)
        for row in connection.execute(query.where(among(connection, column, some))).all()
    ]


def _outputs(connection: Connection, quanta: Sequence[int], number: int) -> list[Made]:
    """Return what quanta published."""
    o, d, f, e = t.quantum_output.c, t.dataset.c, t.artifact.c, t.exposure.c
    query = (
        select(d.id, d.type_id, d.run_id, d.exposure_id, e.day_obs, d.status, func.coalesce(f.size, 0), o.quantum_id)
        .join_from(t.quantum_output, t.dataset, d.id == o.dataset_id)
        .join(t.exposure, e.id == d.exposure_id)
        .outerjoin(t.artifact, f.dataset_id == d.id)
        .where(d.status != "STAGED")
    )
    return [
        Made._make((*row, number))
        for some in chunks(quanta)
        for row in connection.execute(query.where(among(connection, o.quantum_id, some))).all()
    ]
