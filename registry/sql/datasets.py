"""Dataset rows: adding, finding by id, finding first along a path of collections."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, insert, select, update

from registry.errors import AmbiguousId, ConflictError, UnknownName, listed
from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks, in_order, insert_rows
from registry.sql.collections import FlatCollection, run_ids
from registry.sql.dataset_types import dataset_types
from registry.sql.events import latest_ns
from registry.sql.keys import Key, data_id_from_row, data_id_keys, with_data_id
from registry.sql.remembered import counts
from registry.times import now_ns

_SHORTEST_ID = 4
_FEW = 500


Values = Mapping[UUID, Mapping[str, Any]]
"""Column values of dataset rows, by their public ids."""


def identity_values(connection: Connection, refs: Iterable[DatasetRef]) -> Values:
    """Look up all that makes the identity of datasets; a read transaction does, so that no writer has to wait for it.

    Raises
    ------
    UnknownName
        If a type, run or data id is not registered.
    """
    these = list(refs)
    types = dataset_types(connection)
    for name in sorted({ref.type for ref in these} - set(types)):
        raise UnknownName(kind="dataset type", name=name, known=list(types))
    runs = run_ids(connection, {ref.run for ref in these})
    keys = data_id_keys(connection, {ref.data_id for ref in these})
    return {
        ref.id: {"uuid": ref.id, "type_id": types[ref.type].id, "run_id": runs[ref.run]}
        | dict(zip(t.DATA_ID, keys[ref.data_id], strict=True))
        for ref in these
    }


def insert_datasets(
    connection: Connection, refs: Sequence[DatasetRef], values: Values | None = None
) -> dict[UUID, int]:
    """Add datasets with the status their refs have, and the rows of their files if a path is given.

    Parameters
    ----------
    connection
        A write transaction.
    refs
        The datasets.
    values
        What `identity_values` gave for them, if it was asked before; they are known to be new then.

    Returns
    -------
    dict
        The row of each.

    Raises
    ------
    ConflictError
        If any exists already (all are listed), or two have the same id; nothing is stored then.
    UnknownName
        If a type, run or data id is not registered.
    FrozenError
        If a run takes no more datasets.
    """
    if not refs:
        return {}
    there = dataset_rows(connection, [ref.id for ref in refs]) if values is None else {}
    times = Counter(ref.id for ref in refs)
    doubles = [ref for ref in refs if ref.id in there or times[ref.id] > 1]
    if doubles:
        message = f"already registered, or given twice; nothing was stored:\n{listed(doubles)}"
        raise ConflictError(message, conflicts=doubles)
    identities = identity_values(connection, refs) if values is None else values
    now = latest_ns(connection)
    rows = [{**identities[ref.id], "status": ref.status, "created_ns": now} for ref in refs]
    insert_rows(connection, t.dataset, rows)
    ids = dataset_rows(connection, [ref.id for ref in refs])
    insert_rows(connection, t.artifact, [_artifact_values(ref, ids[ref.id]) for ref in refs if ref.path is not None])
    return ids


def stage_datasets(connection: Connection, refs: Sequence[DatasetRef], values: Values) -> dict[UUID, int]:
    """Add a few datasets that are known to be new and still to be written; return the row of each.

    Raises
    ------
    ConflictError
        If one is there after all.
    FrozenError
        If a run takes no more datasets.
    """
    statement = insert(t.dataset).returning(t.dataset.c.uuid, t.dataset.c.id)
    rows = [{**values[ref.id], "status": "STAGED", "created_ns": now_ns()} for ref in refs]
    rows.sort(key=lambda row: row["uuid"].int)  # two processes that want the same wait for each other in one order
    return {row.uuid: row.id for row in connection.execute(statement, rows)}


def move_datasets(connection: Connection, refs: Sequence[DatasetRef]) -> None:
    """Record that the files of datasets are elsewhere now, where their refs say; they are LIVE there."""
    ids = dataset_rows(connection, [ref.id for ref in refs])
    for some in chunks(list(ids.values())):
        connection.execute(delete(t.artifact).where(among(connection, t.artifact.c.dataset_id, some)))
    insert_rows(connection, t.artifact, [_artifact_values(ref, ids[ref.id]) for ref in refs])
    set_status(connection, list(ids), "LIVE")


def set_status(connection: Connection, ids: Sequence[UUID], status: str) -> None:
    """Give datasets a status."""
    for some in chunks(ids):
        connection.execute(update(t.dataset).where(among(connection, t.dataset.c.uuid, some)).values(status=status))


def dataset_rows(connection: Connection, uuids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the row of each of those datasets that exist."""
    found: dict[UUID, int] = {}
    for some in chunks(in_order(uuids)):
        query = select(t.dataset.c.uuid, t.dataset.c.id).where(among(connection, t.dataset.c.uuid, some))
        found |= {row.uuid: row.id for row in connection.execute(query)}
    return found


def load_refs(connection: Connection, *where: ColumnElement[bool]) -> list[DatasetRef]:
    """Return the datasets that fulfil conditions on `ref_select`, in the order in which they were made."""
    query = ref_select().where(*where).order_by(t.dataset.c.id)
    return [ref_from_row(row) for row in connection.execute(query)]


def refs_by_row(connection: Connection, ids: Iterable[int]) -> dict[int, DatasetRef]:
    """Return datasets by their rows."""
    found: dict[int, DatasetRef] = {}
    for some in chunks(sorted(set(ids))):
        query = ref_select().where(among(connection, t.dataset.c.id, some))
        found |= {row.dataset_id: ref_from_row(row) for row in connection.execute(query)}
    return found


def refs_by_uuid(connection: Connection, uuids: Iterable[UUID]) -> dict[UUID, DatasetRef]:
    """Return those of the datasets that exist, whatever their status."""
    refs = [
        ref
        for some in chunks(in_order(uuids))
        for ref in load_refs(connection, among(connection, t.dataset.c.uuid, some))
    ]
    return {ref.id: ref for ref in refs}


def ref_by_text(connection: Connection, text: str) -> DatasetRef:
    """Return the dataset that a full id, or the beginning of one, names.

    Raises
    ------
    UnknownName
        If there is none, or the text is not the beginning of an id.
    AmbiguousId
        If there are several; they are listed.
    """
    digits = text.strip().lower().replace("-", "")
    if not _SHORTEST_ID <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        message = f"'{text}' is not a dataset id: give at least {_SHORTEST_ID} of its hexadecimal digits"
        raise UnknownName(message, kind="dataset", name=text, fix="isrflow query datasets")
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found = load_refs(connection, t.dataset.c.uuid.between(low, high))
    if not found:
        raise UnknownName(
            f"no dataset has an id that begins with {text}", kind="dataset", name=text, fix="isrflow query datasets"
        )
    if len(found) > 1:
        lines = listed(f"{ref.id}  {ref}" for ref in found)
        message = f"{len(found)} datasets have an id that begins with {text}:\n{lines}"
        raise AmbiguousId(message, text=text, matches=found)
    return found[0]


def find_first(
    connection: Connection, type_name: str, data_ids: Sequence[DataId], path: Sequence[FlatCollection]
) -> dict[DataId, tuple[DatasetRef, str]]:
    """Find the live dataset of each data id in the first RUN or TAGGED collection of a path that has it.

    Returns
    -------
    dict
        Dataset and collection of each data id that was found. CALIBRATION collections are passed over: what is in
        them depends on a time, see `registry.resolve`.

    Raises
    ------
    UnknownName
        If the dataset type, or part of a data id, is not registered.
    """
    types = dataset_types(connection)
    if type_name not in types:
        raise UnknownName(kind="dataset type", name=type_name, known=list(types))
    of_key: dict[Key, DataId] = {key: data_id for data_id, key in data_id_keys(connection, data_ids).items()}
    best: dict[DataId, tuple[int, int]] = {}
    for rank, row in _members(connection, types[type_name].id, path, of_key):
        data_id = of_key.get((row.instrument_id, row.exposure_id, row.detector_id, row.filter_id))
        if data_id is not None and (data_id not in best or rank < best[data_id][0]):
            best[data_id] = (rank, row.id)
    refs = refs_by_row(connection, [row for _, row in best.values()])
    return {data_id: (refs[row], path[rank].name) for data_id, (rank, row) in best.items()}


def ref_select() -> Select[Any]:
    """Return the query behind `ref_from_row`; it joins type, run, data id and (outer) artifact."""
    d, a = t.dataset.c, t.artifact.c
    query = (
        select(
            *(d.id.label("dataset_id"), d.uuid, d.status),
            t.dataset_type.c.name.label("type_name"),
            t.collection.c.name.label("run_name"),
            *(a.path, a.size, a.sha256, a.content_sha256),
        )
        .join_from(t.dataset, t.dataset_type, d.type_id == t.dataset_type.c.id)
        .join(t.collection, d.run_id == t.collection.c.id)
        .outerjoin(t.artifact, d.id == a.dataset_id)
    )
    return with_data_id(query, t.dataset)


def ref_from_row(row: Row[Any]) -> DatasetRef:
    """Make the ref from a row of `ref_select`."""
    stored = (row.sha256, row.content_sha256, row.size, row.path)
    return DatasetRef(row.uuid, row.type_name, row.run_name, data_id_from_row(row), *stored, row.status)


def _members(
    connection: Connection, type_id: int, path: Sequence[FlatCollection], keys: Iterable[Key]
) -> Iterable[tuple[int, Row[Any]]]:
    """Yield the live datasets of a type in the runs and tags of a path, with the collection's place in it.

    They have the exposure of one of the keys, and the detector of one: a few more than asked for, in few questions.
    """
    rank = {collection.id: i for i, collection in enumerate(path)}
    ids: Mapping[str, list[int]] = defaultdict(list)
    for collection in path:
        ids[collection.kind].append(collection.id)
    d, g = t.dataset.c, t.dataset_tag.c
    columns = (d.id, d.instrument_id, d.exposure_id, d.detector_id, d.filter_id)
    detectors = sorted({key[2] for key in keys})
    for some in chunks(sorted({key[1] for key in keys})):
        live = select(*columns).where(d.type_id == type_id, d.status == "LIVE", d.exposure_id.in_(some))
        if len(detectors) <= _FEW:  # calibrations have no exposure: one of a detector must not cost those of all
            live = live.where(d.detector_id.in_(detectors))
        queries = (
            live.add_columns(d.run_id.label("home")).where(d.run_id.in_(ids["RUN"])),
            live.add_columns(g.collection_id.label("home"))
            .join(t.dataset_tag, and_(g.dataset_id == d.id, counts(t.dataset_tag, None)))
            .where(g.collection_id.in_(ids["TAGGED"])),
        )
        for query in queries:
            for row in connection.execute(query):
                yield rank[row.home], row


def _artifact_values(ref: DatasetRef, row: int) -> dict[str, Any]:
    """Return the column values of a dataset's file."""
    assert ref.path is not None
    return {
        "dataset_id": row,
        "path": ref.path,
        "in_place": int(ref.path.startswith("/")),
        "size": ref.size,
        "sha256": ref.sha256,
        "content_sha256": ref.content_sha256,
    }
