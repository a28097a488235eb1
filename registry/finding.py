"""Finding one calibration: what `registry.resolve` would find, by a shorter way where the case is plain.

Plain is: the first collections of the path are CALIBRATION ones, and the first of them that has anything touching the
exposure has one range that covers it whole. Everything else (edges inside the exposure, runs and tags in the path,
policies, the past) goes the long way, so that there is one set of rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row

from registry.errors import UnknownName
from registry.refs import DataId, Match
from registry.resolve import resolve
from registry.sql.collections import FlatCollection, flatten
from registry.sql.dataset_types import TypeRow, dataset_types
from registry.sql.events import newest_seq
from registry.sql.finding import find_statement, ref_of


@dataclass(slots=True)
class _Known:
    """What was looked up before: search paths and types are as they were as long as there is no new event."""

    seq: int
    paths: dict[tuple[str, ...], list[FlatCollection]]
    types: dict[str, TypeRow]


_KNOWN: WeakKeyDictionary[Engine, _Known] = WeakKeyDictionary()


def find_calibration(
    connection: Connection, type_name: str, data_id: DataId, collections: Sequence[str], *, as_of: int | None = None
) -> Match | None:
    """Find the calibration of an exposure on a detector.

    Parameters
    ----------
    connection
        An open transaction.
    type_name
        A calibration type.
    data_id
        Exposure and detector.
    collections
        Where to look, in order.
    as_of
        Number of an event, to ask what would have been found then.

    Returns
    -------
    Match or None
        As `registry.resolve` finds it; None is explained by `Butler.explain`.

    Raises
    ------
    UnknownName
        If the type, a collection, the exposure or the detector is not registered.
    """
    if as_of is None and data_id.exposure is not None and data_id.detector is not None:
        plain, match = _plainly(connection, type_name, data_id, tuple(collections))
        if plain:
            return match
    types = dataset_types(connection)
    if type_name not in types:
        raise UnknownName(kind="dataset type", name=type_name, known=list(types))
    found = resolve(connection, [data_id], {type_name: False}, collections, as_of=as_of)
    return found.matches[data_id].get(type_name)


def _plainly(
    connection: Connection, type_name: str, data_id: DataId, collections: tuple[str, ...]
) -> tuple[bool, Match | None]:
    """Look by the short way; False if the case is not plain."""
    known = _KNOWN.get(connection.engine)
    if known is None or collections not in known.paths or type_name not in known.types:
        known = _look_up(connection, collections)
    row_type = known.types.get(type_name)
    for collection in known.paths[collections]:
        if row_type is None or collection.kind != "CALIBRATION":
            return False, None
        values = {"instrument": data_id.instrument, "exposure": data_id.exposure, "detector": data_id.detector}
        values |= {"collection": collection.id, "type": row_type.id}
        row = connection.execute(find_statement(row_type.type), values).first()
        if row is None:
            return False, None
        if row.newest != known.seq:
            _KNOWN.pop(connection.engine, None)
            return _plainly(connection, type_name, data_id, collections)
        if row.validity_id is None or row.valid_to <= row.begin_ns:
            continue  # nothing here touches the exposure
        if not _decides(row):
            return False, None
        return True, Match(ref_of(row, row_type.type, data_id), row.validity_id, collection.name)
    return False, None


def _look_up(connection: Connection, collections: tuple[str, ...]) -> _Known:
    """Look up a search path and the types, to be kept until the next event."""
    known, newest = _KNOWN.get(connection.engine), newest_seq(connection)
    if known is None or known.seq != newest:
        known = _KNOWN[connection.engine] = _Known(newest, {}, {})
    known.types = dataset_types(connection)
    known.paths[collections] = flatten(connection, collections)
    return known


def _decides(row: Row[Any]) -> bool:
    """Say whether a range covers the exposure whole, and its dataset can be handed out."""
    covers = row.valid_from <= row.begin_ns and row.end_ns <= row.valid_to and row.mid_ns < row.valid_to
    return covers and row.status == "LIVE" and not row.marked
