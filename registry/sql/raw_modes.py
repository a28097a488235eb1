"""In which readout mode a calibration was made: that of the raws it was made of, whatever lies between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, union

from registry.canonical import canonical_json
from registry.errors import ConflictError, UnknownName, listed
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


def mode_to_certify(
    connection: Connection, names: Mapping[int, str], given: Mapping[str, Any] | None
) -> dict[int, int]:
    """Return the readout mode that each dataset is to be certified for.

    Parameters
    ----------
    names
        Row of each dataset to its name in messages.
    given
        The mode, if somebody says it; else that of the raws that a dataset was made of.

    Raises
    ------
    ConflictError
        If raws of several modes went into a dataset, or none are known, or other ones than are given; all are listed.
    UnknownName
        If no exposure was ever taken in the mode given.
    """
    wanted = None if given is None else _known_mode(connection, given)
    found = raw_modes(connection, names)
    problems = []
    for one, modes in found.items():
        spelled = " and ".join(spell_modes(connection, modes))
        if len(modes) > 1:
            problems.append(f"{names[one]} was made of raws of several readout modes: {spelled}")
        elif not modes and wanted is None:
            problems.append(f"{names[one]} was made of no raws; nobody knows its readout mode")
        elif modes and wanted is not None and wanted not in modes:
            problems.append(f"{names[one]} was made of raws of readout mode {spelled}, not of the one given")
    if problems:
        fix = "--readout-mode KEY=VALUE,... says it of what was made of no raws"
        raise ConflictError(f"nothing was certified:\n{listed(problems)}", conflicts=problems, fix=fix)
    return {one: wanted if wanted is not None else next(iter(modes)) for one, modes in found.items()}


def _known_mode(connection: Connection, given: Mapping[str, Any]) -> int:
    """Return the row of a mode; one that no exposure has would match nothing."""
    c = t.readout_mode.c
    text = canonical_json(given) if given else ""
    known = {row.canonical: row.id for row in connection.execute(select(c.canonical, c.id))}
    if text not in known:
        message = f"no exposure was taken in readout mode {text}; there is {', '.join(map(_or_none, sorted(known)))}"
        raise UnknownName(message, kind="readout mode", name=text)
    return int(known[text])


def _or_none(text: str) -> str:
    return text or "none"


def mode_texts(connection: Connection, modes: Iterable[int]) -> dict[int, str]:
    """Return readout modes as JSON texts, by row; the mode of exposures that state none is empty."""
    c = t.readout_mode.c
    return {
        row.id: row.canonical for row in connection.execute(select(c.id, c.canonical).where(c.id.in_(sorted(modes))))
    }


def spell_modes(connection: Connection, modes: Iterable[int]) -> list[str]:
    """Return readout modes as JSON texts, in order; "none" is that of exposures that state none."""
    return [_or_none(text) for text in sorted(mode_texts(connection, modes).values())]


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
