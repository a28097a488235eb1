"""From the names people use to the integers the tables use, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, select

from registry.errors import UnknownName
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks

T = TypeVar("T")
Key = tuple[int, int, int, int]
"""instrument_id, exposure_id, detector_id, filter_id, as in `tables.DATA_ID`."""


def instrument_id(connection: Connection, name: str) -> int:
    """Return the row of an instrument.

    Raises
    ------
    UnknownName
        If it is not registered.
    """
    query = select(t.instrument.c.name, t.instrument.c.id).where(t.instrument.c.id != t.NOT_APPLICABLE)
    known = {row.name: row.id for row in connection.execute(query)}
    if name not in known:
        raise UnknownName(kind="instrument", name=name, known=list(known))
    return int(known[name])


def known_filters(connection: Connection, instrument: str) -> dict[str, int]:
    """Return name -> row of the filters of an instrument."""
    return _filters(connection, instrument_id(connection, instrument))


def data_id_keys(connection: Connection, data_ids: Iterable[DataId]) -> dict[DataId, Key]:
    """Translate data ids, in a few queries for any number of them.

    Raises
    ------
    UnknownName
        If instruments, exposures, detectors or filters are not registered; all that are unknown are listed.
    """
    by_instrument: defaultdict[str, list[DataId]] = defaultdict(list)
    for data_id in data_ids:
        by_instrument[data_id.instrument].append(data_id)
    keys: dict[DataId, Key] = {}
    for name, group in by_instrument.items():
        keys |= _keys_of_one_instrument(connection, name, group)
    return keys


def with_data_id(query: Select[Any], table: Table) -> Select[Any]:
    """Add to a query over a table with a data id what `data_id_from_row` reads; it joins the dimensions."""
    c = table.c
    return (
        query.add_columns(
            *(c.exposure_id, c.detector_id, c.filter_id),
            t.instrument.c.name.label("instrument_name"),
            t.exposure.c.number.label("exposure_number"),
            t.detector.c.number.label("detector_number"),
            t.physical_filter.c.name.label("filter_name"),
        )
        .join(t.instrument, c.instrument_id == t.instrument.c.id)
        .join(t.exposure, c.exposure_id == t.exposure.c.id)
        .join(t.detector, c.detector_id == t.detector.c.id)
        .join(t.physical_filter, c.filter_id == t.physical_filter.c.id)
    )


def data_id_from_row(row: Row[Any]) -> DataId:
    """Make the data id from a row of `with_data_id`."""
    return DataId(
        row.instrument_name,
        row.exposure_number if row.exposure_id else None,
        row.detector_number if row.detector_id else None,
        row.filter_name if row.filter_id else None,
    )


def _keys_of_one_instrument(connection: Connection, name: str, group: Sequence[DataId]) -> dict[DataId, Key]:
    """Translate the data ids of one instrument."""
    number = instrument_id(connection, name)
    wanted = {data_id.exposure for data_id in group if data_id.exposure is not None}
    exposures = _with_none(_exposures(connection, number, wanted))
    numbers = {data_id.detector for data_id in group if data_id.detector is not None}
    detectors = _with_none(_detectors(connection, number, numbers))
    filters = _with_none(_filters(connection, number) if any(d.physical_filter is not None for d in group) else {})
    _refuse_unknown(name, "exposure", {d.exposure for d in group}, exposures)
    _refuse_unknown(name, "detector", {d.detector for d in group}, detectors)
    _refuse_unknown(name, "physical filter", {d.physical_filter for d in group}, filters)
    return {d: (number, exposures[d.exposure], detectors[d.detector], filters[d.physical_filter]) for d in group}


def _filters(connection: Connection, instrument: int) -> dict[str, int]:
    """Return name -> row of the filters of an instrument."""
    c = t.physical_filter.c
    query = select(c.name, c.id).where(c.instrument_id == instrument)
    return {row.name: row.id for row in connection.execute(query)}


def _detectors(connection: Connection, instrument: int, numbers: Iterable[int]) -> dict[int, int]:
    """Return number -> row of those detectors that exist; of all, to choose from, if any does not."""
    wanted, c = set(numbers), t.detector.c
    found = _numbered(connection, t.detector, instrument, wanted)
    if len(found) == len(wanted):
        return found
    query = select(c.number, c.id).where(c.instrument_id == instrument)
    return {row.number: row.id for row in connection.execute(query)}


def _exposures(connection: Connection, instrument: int, numbers: Iterable[int]) -> dict[int, int]:
    """Return number -> row of those exposures that exist."""
    return _numbered(connection, t.exposure, instrument, numbers)


def _numbered(connection: Connection, table: Table, instrument: int, numbers: Iterable[int]) -> dict[int, int]:
    """Return number -> row of what has a number in an instrument."""
    c = table.c
    found: dict[int, int] = {}
    for some in chunks(sorted(set(numbers))):
        query = select(c.number, c.id).where(c.instrument_id == instrument, among(connection, c.number, some))
        found |= {row.number: row.id for row in connection.execute(query)}
    return found


def _with_none(rows: Mapping[T, int]) -> dict[T | None, int]:
    """Add the sentinel of a dimension that does not apply."""
    return {None: t.NOT_APPLICABLE, **dict(rows.items())}


def _refuse_unknown(instrument: str, kind: str, used: Iterable[object], known: Iterable[object]) -> None:
    """Refuse values that are not registered, all at once."""
    there = set(known)
    unknown = sorted(str(value) for value in set(used) - there)
    if unknown:
        names = ", ".join(unknown[:20]) + (f" and {len(unknown) - 20} more" if len(unknown) > 20 else "")
        message = f"instrument {instrument} has no {kind} {names}"
        some = [str(value) for value in there if value is not None][:200]
        fix = "isrflow query exposures" if kind == "exposure" else None
        raise UnknownName(message, kind=kind, name=unknown[0], known=some, fix=fix)
