"""Rows as records of a manifest, in the order in which another repository can take them in."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from registry.moving.manifest import extension_of
from registry.moving.selecting import Selection
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.collections import collections as load_collections
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import ref_from_row, ref_select
from registry.sql.exposures import detectors_of, filters_of, instruments, load_exposures
from registry.sql.keys import data_id_from_row, with_data_id
from registry.sql.remembered import counts

Described = Iterator[tuple[str, dict[str, Any]]]
"""What a record is, and its values."""
_FEW = 1000


def describe(connection: Connection, selection: Selection, *, files: bool) -> Described:
    """Yield the records of a selection, a thousand rows in memory at a time."""
    datasets, quanta = selection.datasets, selection.quanta
    yield from _instruments(connection, datasets)
    yield from _types(connection, datasets)
    yield from _exposures(connection, datasets)
    yield from _collections(connection, datasets, quanta)
    for refs, created in _refs(connection, datasets):
        yield from (("dataset", _dataset(ref, created[ref.id.hex], files=files)) for ref in refs)
    yield from _validity(connection, datasets)
    yield from _tags(connection, datasets)
    yield from _blobs(connection, quanta)
    yield from _calib_sets(connection, quanta)
    yield from _quanta(connection, quanta)
    yield from _notes(connection, datasets)


def stored_files(connection: Connection, datasets: Sequence[int]) -> Iterator[DatasetRef]:
    """Yield the datasets whose files can be copied."""
    for refs, _ in _refs(connection, datasets):
        yield from (ref for ref in refs if _has_file(ref))


def _has_file(ref: DatasetRef) -> bool:
    return ref.status == "LIVE" and ref.path is not None


def _refs(connection: Connection, datasets: Sequence[int]) -> Iterator[tuple[list[DatasetRef], dict[str, int]]]:
    d = t.dataset.c
    for some in chunks(datasets, _FEW):
        rows = connection.execute(ref_select().add_columns(d.created_ns).where(d.id.in_(some)).order_by(d.id)).all()
        refs = [ref_from_row(row) for row in rows]
        yield (
            [ref for ref in refs if ref.status != "STAGED"],
            {ref.id.hex: row.created_ns for ref, row in zip(refs, rows, strict=True)},
        )


def _dataset(ref: DatasetRef, created_ns: int, *, files: bool) -> dict[str, Any]:
    return {
        "id": str(ref.id),
        "type": ref.type,
        "run": ref.run,
        "data_id": ref.data_id.to_dict(),
        "status": "PURGED" if ref.status == "DELETING" else ref.status,
        "created_ns": created_ns,
        "size": ref.size,
        "sha256": ref.sha256,
        "content_sha256": ref.content_sha256,
        "extension": extension_of(ref.path or ""),
        "file": files and _has_file(ref),
    }


def _instruments(connection: Connection, datasets: Sequence[int]) -> Described:
    used = _distinct(connection, select(t.dataset.c.instrument_id), t.dataset.c.id, datasets)
    names = _distinct(connection, select(t.instrument.c.name), t.instrument.c.id, used)
    for record in instruments(connection):
        if record.name in names:
            yield (
                "instrument",
                {
                    "name": record.name,
                    "rollover_s": record.rollover_s,
                    "camera_name": record.camera_name,
                    "detectors": [[d.id, d.name, d.serial, d.purpose] for d in detectors_of(connection, record.name)],
                    "filters": [[f.name, f.band] for f in filters_of(connection, record.name)],
                },
            )


def _types(connection: Connection, datasets: Sequence[int]) -> Described:
    used = _distinct(connection, select(t.dataset.c.type_id), t.dataset.c.id, datasets)
    for row in sorted(dataset_types(connection).values(), key=lambda row: row.type.name):
        if row.id in used:
            yield "type", dataclasses.asdict(row.type)


def _exposures(connection: Connection, datasets: Sequence[int]) -> Described:
    used = _distinct(connection, select(t.dataset.c.exposure_id), t.dataset.c.id, datasets) - {t.NOT_APPLICABLE}
    for some in chunks(sorted(used), _FEW):
        for record in load_exposures(connection, t.exposure.c.id.in_(some)):
            yield "exposure", {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _collections(connection: Connection, datasets: Sequence[int], quanta: Sequence[int]) -> Described:
    """Tell the collections that records name, and the chains that search nothing else."""
    v, g, m = t.calib_validity.c, t.dataset_tag.c, t.calib_set_member.c
    used = _distinct(connection, select(t.dataset.c.run_id), t.dataset.c.id, datasets)
    used |= _distinct(connection, select(v.collection_id).where(v.revoked_at == t.OPEN_ENDED), v.dataset_id, datasets)
    used |= _distinct(connection, select(g.collection_id).where(counts(t.dataset_tag, None)), g.dataset_id, datasets)
    used |= _distinct(connection, select(t.quantum.c.run_id), t.quantum.c.id, quanta)
    used |= _distinct(connection, select(m.collection_id), m.set_id, _sets(connection, quanta))
    names = _distinct(connection, select(t.collection.c.name), t.collection.c.id, used)
    runs = {row.name: row for row in connection.execute(_runs())}
    every = load_collections(connection)
    for row in every:
        if row.name in names:
            values: dict[str, Any] = {"name": row.name, "kind": row.kind, "doc": row.doc, "owner": row.owner}
            values |= {"created_ns": row.created_ns, "frozen": row.frozen, "holds": row.n_datasets}
            run = runs.get(row.name)
            values |= {"host": run.host, "flow_run": run.flow_run, "started_ns": run.started_ns} if run else {}
            yield "collection", values
    chains = {row.name: row.children for row in every if row.kind == "CHAINED" and row.children}
    while ready := [name for name, children in chains.items() if names.issuperset(children)]:
        for name in sorted(ready):
            names.add(name)
            yield "chain", {"name": name, "children": list(chains.pop(name))}


def _runs() -> Select[Any]:
    r = t.run.c
    return select(t.collection.c.name, r.host, r.flow_run, r.started_ns).join_from(
        t.run, t.collection, t.collection.c.id == r.collection_id
    )


def _validity(connection: Connection, datasets: Sequence[int]) -> Described:
    v, event = t.calib_validity.c, t.registry_event.c
    query = (
        select(t.collection.c.name, t.dataset.c.uuid, v.begin_ns, v.end_ns, event.at_ns, event.actor, event.reason)
        .add_columns(t.readout_mode.c.canonical, v.mode_id)
        .join_from(t.calib_validity, t.collection, t.collection.c.id == v.collection_id)
        .join(t.readout_mode, t.readout_mode.c.id == v.mode_id)
        .join(t.dataset, t.dataset.c.id == v.dataset_id)
        .join(t.registry_event, event.seq == v.certified_at)
        .where(v.revoked_at == t.OPEN_ENDED)
    )
    for row in _rows(connection, query, v.dataset_id, datasets, v.dataset_id, v.begin_ns, v.id):
        yield (
            "validity",
            {"collection": row.name, "dataset": str(row.uuid), "begin_ns": row.begin_ns, "end_ns": row.end_ns}
            | {"mode": row.canonical if row.mode_id != t.NOT_APPLICABLE else None, "certified": _said(row)},
        )


def _tags(connection: Connection, datasets: Sequence[int]) -> Described:
    g = t.dataset_tag.c
    query = (
        select(t.collection.c.name, t.dataset.c.uuid)
        .join_from(t.dataset_tag, t.collection, t.collection.c.id == g.collection_id)
        .join(t.dataset, t.dataset.c.id == g.dataset_id)
        .where(counts(t.dataset_tag, None))
    )
    for row in _rows(connection, query, g.dataset_id, datasets, g.dataset_id, g.id):
        yield "tag", {"collection": row.name, "dataset": str(row.uuid)}


def _blobs(connection: Connection, quanta: Sequence[int]) -> Described:
    """Tell configurations, software and what was noted of raws, each once."""
    q, n = t.quantum.c, t.quantum_note.c
    for table, used in (
        (t.config_blob, _distinct(connection, select(q.config_id), q.id, quanta)),
        (t.config_blob, _distinct(connection, select(n.note_id), n.quantum_id, quanta)),
        (t.software_env, _distinct(connection, select(q.software_id), q.id, quanta)),
    ):
        query = select(table.c.sha256, table.c.canonical)
        for row in _rows(connection, query, table.c.id, sorted(used), table.c.sha256):
            yield "config", {"table": table.name, "sha256": row.sha256, "value": row.canonical}


def _calib_sets(connection: Connection, quanta: Sequence[int]) -> Described:
    m, v = t.calib_set_member.c, t.calib_validity.c
    query = (
        select(t.calib_set.c.sha256, m.role, t.dataset.c.uuid, t.collection.c.name, v.begin_ns, v.end_ns)
        .add_columns(m.warning, m.match_kind, m.gap_ns, m.validity_id)
        .select_from(t.calib_set)
        .outerjoin(t.calib_set_member, m.set_id == t.calib_set.c.id)
        .outerjoin(t.dataset, t.dataset.c.id == m.dataset_id)
        .outerjoin(t.collection, t.collection.c.id == m.collection_id)
        .outerjoin(t.calib_validity, v.id == m.validity_id)
    )
    for some in chunks(sorted(_sets(connection, quanta)), _FEW):
        members: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        rows = connection.execute(query.where(t.calib_set.c.id.in_(some)).order_by(t.calib_set.c.id, m.role))
        for row in rows:
            known = members[row.sha256]
            if row.role is not None:
                known.append(
                    {"role": row.role, "dataset": str(row.uuid), "collection": row.name, "warning": row.warning}
                    | {"begin_ns": row.begin_ns, "end_ns": row.end_ns, "kind": row.match_kind, "gap_ns": row.gap_ns}
                )
        for sha256, found in members.items():
            yield "calibs", {"id": sha256, "members": found}


def _quanta(connection: Connection, quanta: Sequence[int]) -> Described:
    q, note = t.quantum.c, t.config_blob.alias("note")
    query = with_data_id(
        select(q.id, q.uuid, q.task, q.content_key, q.state, q.reason, q.attempt, q.retriable)
        .add_columns(t.collection.c.name.label("run"), t.config_blob.c.sha256.label("config"))
        .add_columns(t.software_env.c.sha256.label("software"), t.calib_set.c.sha256.label("calibs"))
        .add_columns(note.c.sha256.label("note"))
        .join_from(t.quantum, t.collection, t.collection.c.id == q.run_id)
        .join(t.config_blob, t.config_blob.c.id == q.config_id)
        .join(t.software_env, t.software_env.c.id == q.software_id)
        .join(t.calib_set, t.calib_set.c.id == q.calib_set_id)
        .outerjoin(t.quantum_note, t.quantum_note.c.quantum_id == q.id)
        .outerjoin(note, note.c.id == t.quantum_note.c.note_id),
        t.quantum,
    )
    for some in chunks(quanta, _FEW):
        inputs, outputs = (_roles(connection, table, some) for table in (t.quantum_input, t.quantum_output))
        attempts = _attempts(connection, some)
        for row in connection.execute(query.where(q.id.in_(some)).order_by(q.id)):
            same = ("task", "content_key", "reason", "attempt", "retriable", "run", "config", "software", "calibs")
            yield (
                "quantum",
                {"id": str(row.uuid), "data_id": data_id_from_row(row).to_dict(), "note": row.note}
                | {name: getattr(row, name) for name in same}
                | {"state": "planned" if row.state == "leased" else row.state}
                | {"inputs": inputs[row.id], "outputs": outputs[row.id], "attempts": attempts[row.id]},
            )


def _roles(connection: Connection, table: Table, quanta: Sequence[int]) -> defaultdict[int, list[list[str]]]:
    c = table.c
    query = select(c.quantum_id, c.role, t.dataset.c.uuid).join(t.dataset, t.dataset.c.id == c.dataset_id)
    found: defaultdict[int, list[list[str]]] = defaultdict(list)
    for row in connection.execute(query.where(c.quantum_id.in_(quanta)).order_by(c.quantum_id, c.role)):
        found[row.quantum_id].append([row.role, str(row.uuid)])
    return found


def _attempts(connection: Connection, quanta: Sequence[int]) -> defaultdict[int, list[dict[str, Any]]]:
    a = t.quantum_attempt.c
    query = select(t.quantum_attempt).where(a.quantum_id.in_(quanta), a.outcome != "running")
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(a.quantum_id, a.number)).mappings():
        found[row["quantum_id"]].append({name: row[name] for name in row if name != "quantum_id"})
    return found


def _notes(connection: Connection, datasets: Sequence[int]) -> Described:
    m, event = t.dataset_mark.c, t.registry_event.c
    said = (event.at_ns, event.actor, event.reason)
    marks = (
        select(t.dataset.c.uuid, m.kind, *said)
        .join_from(t.dataset_mark, t.dataset, t.dataset.c.id == m.dataset_id)
        .join(t.registry_event, event.seq == m.added_at)
        .where(counts(t.dataset_mark, None))
    )
    for row in _rows(connection, marks, m.dataset_id, datasets, m.dataset_id, m.id):
        yield "mark", {"dataset": str(row.uuid), "kind": row.kind, "said": _said(row)}
    exposures = _distinct(connection, select(t.dataset.c.exposure_id), t.dataset.c.id, datasets) - {t.NOT_APPLICABLE}
    for is_, table, own in (
        ("flag", t.quality_flag, ("flag",)),
        ("header", t.header_correction, ("keyword", "value")),
    ):
        c = table.c
        query = (
            select(t.instrument.c.name, t.exposure.c.number, c.detector_id, t.detector.c.number.label("detector"))
            .add_columns(*(c[name] for name in own), *said)
            .join_from(table, t.exposure, t.exposure.c.id == c.exposure_id)
            .join(t.instrument, t.instrument.c.id == t.exposure.c.instrument_id)
            .join(t.detector, t.detector.c.id == c.detector_id)
            .join(t.registry_event, event.seq == c.added_at)
            .where(counts(table, None))
        )
        for row in _rows(connection, query, c.exposure_id, sorted(exposures), c.exposure_id, c.id):
            place = {"instrument": row.name, "exposure": row.number}
            place |= {"detector": row.detector} if row.detector_id != t.NOT_APPLICABLE else {}
            yield is_, {"data_id": place, "said": _said(row)} | {name: getattr(row, name) for name in own}


def _said(row: Row[Any]) -> dict[str, Any]:
    return {"at_ns": row.at_ns, "actor": row.actor, "reason": row.reason}


def _sets(connection: Connection, quanta: Sequence[int]) -> set[int]:
    return _distinct(connection, select(t.quantum.c.calib_set_id), t.quantum.c.id, quanta)


def _distinct(
    connection: Connection, query: Select[Any], column: ColumnElement[int], values: Iterable[int]
) -> set[Any]:
    return {
        value
        for some in chunks(sorted(values))
        for value in connection.execute(query.where(column.in_(some)).distinct()).scalars()
    }


def _rows(
    connection: Connection,
    query: Select[Any],
    column: ColumnElement[int],
    values: Sequence[int],
    *order: ColumnElement[Any],
) -> Iterator[Row[Any]]:
    for some in chunks(values, _FEW):
        yield from connection.execute(query.where(column.in_(some)).order_by(*order))
