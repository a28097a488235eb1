"""Which rows go into a package: what was asked for, and what it cannot be understood without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from registry.query.run import dataset_ids
from registry.sql import tables as t
from registry.sql.bulk import chunks


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be exported.

    Parameters
    ----------
    where, bind
        A query on datasets; all if empty.
    types
        Only datasets of these types; None for all.
    calibs
        Also the calibrations that these datasets were made with, and those that hold now for their exposures.
    provenance
        Also the work that made them, and everything it read, all the way up.
    files
        Also the files; without them the datasets arrive as MISSING until a package brings them.
    always
        Rows of datasets that go with every package.
    """

    where: str = ""
    types: tuple[str, ...] | None = None
    bind: Mapping[str, Any] = field(default_factory=dict)
    calibs: bool = False
    provenance: bool = False
    files: bool = True
    always: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked for as plain values."""
        return {
            "where": self.where,
            "types": None if self.types is None else list(self.types),
            "calibs": self.calibs,
            "provenance": self.provenance,
            "files": self.files,
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows, sorted: eight bytes each are kept in memory, and nothing else of them."""

    datasets: tuple[int, ...]
    quanta: tuple[int, ...]
    asked: int
    """How many datasets the query itself selected."""


def select_for(connection: Connection, wanted: Wanted) -> Selection:
    """Find the rows of a package.

    Raises
    ------
    QuerySyntaxError, UnknownName
        If the query cannot be read.
    """
    query = dataset_ids(wanted.where, wanted.bind)
    if wanted.types is not None:
        query = query.where(t.dataset_type.c.name.in_(wanted.types))
    asked = set(connection.execute(query).scalars())
    found = asked | (set(wanted.always) if asked else set())
    quanta: set[int] = set()
    if wanted.calibs and asked:
        found |= _calibs_of(connection, _made_by(connection, asked)) | _valid_now(connection, asked)
    if wanted.provenance:
        quanta, found = _upwards(connection, found)
    return Selection(tuple(sorted(found)), tuple(sorted(quanta)), len(asked))


def _upwards(connection: Connection, start: set[int]) -> tuple[set[int], set[int]]:
    """Follow datasets to the work that made them and to all that it read, generation by generation."""
    found, quanta, frontier = set(start), set[int](), set(start)
    while frontier:
        makers = _made_by(connection, frontier) - quanta
        quanta |= makers
        frontier = (_inputs_of(connection, makers) | _calibs_of(connection, makers)) - found
        found |= frontier
    # Whoever made one of several outputs is told with all of them.
    o = t.quantum_output.c
    found |= _column(connection, select(o.dataset_id), o.quantum_id, quanta)
    return quanta, found


def _made_by(connection: Connection, datasets: Iterable[int]) -> set[int]:
    o = t.quantum_output.c
    return _column(connection, select(o.quantum_id), o.dataset_id, datasets)


def _inputs_of(connection: Connection, quanta: Iterable[int]) -> set[int]:
    i = t.quantum_input.c
    return _column(connection, select(i.dataset_id), i.quantum_id, quanta)


def _calibs_of(connection: Connection, quanta: Iterable[int]) -> set[int]:
    sets = _column(connection, select(t.quantum.c.calib_set_id), t.quantum.c.id, quanta)
    m = t.calib_set_member.c
    return _column(connection, select(m.dataset_id), m.set_id, sets)


def _valid_now(connection: Connection, datasets: set[int]) -> set[int]:
    """Return the calibrations that hold between the first and the last exposure of datasets, as certified now."""
    e, d, v = t.exposure.c, t.dataset.c, t.calib_validity.c
    spans: dict[int, tuple[int, int]] = {}
    for some in chunks(sorted(datasets)):
        query = select(e.instrument_id, func.min(e.begin_ns), func.max(e.end_ns)).join_from(
            t.dataset, t.exposure, d.exposure_id == e.id
        )
        where = (d.id.in_(some), e.id != t.NOT_APPLICABLE)
        for instrument, begin, end in connection.execute(query.where(*where).group_by(e.instrument_id)):
            first, last = spans.get(instrument, (begin, end))
            spans[instrument] = (min(first, begin), max(last, end))
    found: set[int] = set()
    for instrument, (begin, end) in spans.items():
        valid = select(v.dataset_id).where(v.instrument_id == instrument, v.revoked_at == t.OPEN_ENDED)
        found |= set(connection.execute(valid.where(v.begin_ns <= end, v.end_ns > begin)).scalars())
    return found


def _column(connection: Connection, query: Select[Any], column: ColumnElement[int], values: Iterable[int]) -> set[int]:
    """Ask for one column, for many values."""
    ordered: Sequence[int] = sorted(values)
    return {value for some in chunks(ordered) for value in connection.execute(query.where(column.in_(some))).scalars()}
