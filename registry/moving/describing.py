"""Rows as records of a manifest: data, then work, then notes, in the order in which they can be taken in elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from registry.moving.describing_notes import describe_notes
from registry.moving.describing_work import describe_work
from registry.moving.manifest import extension_of
from registry.moving.rows import FEW, Described, calib_sets_of, distinct, rows_among, said
from registry.moving.selecting import Selection
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.collections import collections as load_collections
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import ref_from_row, ref_select
from registry.sql.exposures import detectors_of, filters_of, instruments, load_exposures
from registry.sql.remembered import counts


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
    yield from describe_work(connection, quanta)
    yield from describe_notes(connection, datasets)


def stored_files(connection: Connection, datasets: Sequence[int]) -> Iterator[DatasetRef]:
    """Yield the datasets whose files can be copied."""
    for refs, _ in _refs(connection, datasets):
        yield from (ref for ref in refs if _has_file(ref))


def _has_file(ref: DatasetRef) -> bool:
    return ref.status == "LIVE" and ref.path is not None


def _refs(connection: Connection, datasets: Sequence[int]) -> Iterator[tuple[list[DatasetRef], dict[str, int]]]:
    d = t.dataset.c
    for some in chunks(datasets, FEW):
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
    used = distinct(connection, select(t.dataset.c.instrument_id), t.dataset.c.id, datasets)
    names = distinct(connection, select(t.instrument.c.name), t.instrument.c.id, used)
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
    used = distinct(connection, select(t.dataset.c.type_id), t.dataset.c.id, datasets)
    for row in sorted(dataset_types(connection).values(), key=lambda row: row.type.name):
        if row.id in used:
            yield "type", dataclasses.asdict(row.type)


def _exposures(connection: Connection, datasets: Sequence[int]) -> Described:
    used = distinct(connection, select(t.dataset.c.exposure_id), t.dataset.c.id, datasets) - {t.NOT_APPLICABLE}
    for some in chunks(sorted(used), FEW):
        for record in load_exposures(connection, t.exposure.c.id.in_(some)):
            yield "exposure", {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _collections(connection: Connection, datasets: Sequence[int], quanta: Sequence[int]) -> Described:
    """Tell the collections that records name, and the chains that search nothing else."""
    v, g, m = t.calib_validity.c, t.dataset_tag.c, t.calib_set_member.c
    used = distinct(connection, select(t.dataset.c.run_id), t.dataset.c.id, datasets)
    used |= distinct(connection, select(v.collection_id).where(v.revoked_at == t.OPEN_ENDED), v.dataset_id, datasets)
    used |= distinct(connection, select(g.collection_id).where(counts(t.dataset_tag, None)), g.dataset_id, datasets)
    used |= distinct(connection, select(t.quantum.c.run_id), t.quantum.c.id, quanta)
    used |= distinct(connection, select(m.collection_id), m.set_id, calib_sets_of(connection, quanta))
    names = distinct(connection, select(t.collection.c.name), t.collection.c.id, used)
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
    for row in rows_among(connection, query, v.dataset_id, datasets, v.dataset_id, v.begin_ns, v.id):
        yield (
            "validity",
            {"collection": row.name, "dataset": str(row.uuid), "begin_ns": row.begin_ns, "end_ns": row.end_ns}
            | {"mode": row.canonical if row.mode_id != t.NOT_APPLICABLE else None, "certified": said(row)},
        )


def _tags(connection: Connection, datasets: Sequence[int]) -> Described:
    g = t.dataset_tag.c
    query = (
        select(t.collection.c.name, t.dataset.c.uuid)
        .join_from(t.dataset_tag, t.collection, t.collection.c.id == g.collection_id)
        .join(t.dataset, t.dataset.c.id == g.dataset_id)
        .where(counts(t.dataset_tag, None))
    )
    for row in rows_among(connection, query, g.dataset_id, datasets, g.dataset_id, g.id):
        yield "tag", {"collection": row.name, "dataset": str(row.uuid)}
