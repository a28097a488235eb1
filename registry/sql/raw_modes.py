"""In which readout mode a calibration was made: that of the raws it was made of, whatever lies between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select, union

from registry.sql import tables as t
from registry.sql.bulk import chunks


def raw_modes(connection: Connection, datasets: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return the readout modes of the raws that datasets were made of, by row; none if they were made of no raws.

    What was made of raws has their modes; what was made of other calibrations (defects, of a dark and flats) has
    theirs. Each generation costs two queries, however many datasets there are.
    """
    found: dict[int, set[int]] = {one: set() for one in datasets}
    asking: dict[int, set[int]] = {one: {one} for one in found}
    while asking:
        direct = _direct(connection, sorted(asking))
        for one, modes in direct.items():
            for root in asking[one]:
                found[root] |= modes
        above: defaultdict[int, set[int]] = defaultdict(set)
        for one, parents in _parents(connection, sorted(set(asking) - set(direct))).items():
            for parent in parents:
                above[parent] |= asking[one]
        asking = dict(above)
    return {one: frozenset(modes) for one, modes in found.items()}


def spell_modes(connection: Connection, modes: Iterable[int]) -> list[str]:
    """Return readout modes as JSON texts, in order; "none" is that of exposures that state none."""
    c = t.readout_mode.c
    rows = connection.execute(select(c.canonical).where(c.id.in_(sorted(modes))).order_by(c.canonical))
    return [text or "none" for text in rows.scalars()]


def _direct(connection: Connection, datasets: Sequence[int]) -> dict[int, set[int]]:
    """Return the modes of the raws that went into datasets."""
    o, i, d, e = t.quantum_output.c, t.quantum_input.c, t.dataset.c, t.exposure.c
    query = (
        select(o.dataset_id, e.mode_id)
        .join_from(t.quantum_output, t.quantum_input, i.quantum_id == o.quantum_id)
        .join(t.dataset, d.id == i.dataset_id)
        .join(t.exposure, e.id == d.exposure_id)
        .where(d.exposure_id != t.NOT_APPLICABLE)
        .distinct()
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for some in chunks(datasets):
        for row in connection.execute(query.where(o.dataset_id.in_(some))):
            found[row.dataset_id].add(row.mode_id)
    return dict(found)


def _parents(connection: Connection, datasets: Sequence[int]) -> dict[int, set[int]]:
    """Return the calibrations, and other datasets that are no raws, that went into datasets."""
    o, i, q, m = t.quantum_output.c, t.quantum_input.c, t.quantum.c, t.calib_set_member.c
    as_data = select(o.dataset_id, i.dataset_id.label("parent")).join_from(
        t.quantum_output, t.quantum_input, i.quantum_id == o.quantum_id
    )
    as_calib = (
        select(o.dataset_id, m.dataset_id.label("parent"))
        .join_from(t.quantum_output, t.quantum, q.id == o.quantum_id)
        .join(t.calib_set_member, m.set_id == q.calib_set_id)
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for some in chunks(datasets):
        where = o.dataset_id.in_(some)
        for row in connection.execute(union(as_data.where(where), as_calib.where(where))):
            found[row.dataset_id].add(row.parent)
    return dict(found)
