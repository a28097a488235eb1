"""Two runs side by side: the quanta of the same task and data id, with all that they were made from and made.

A run costs the same few queries however many quanta it has; what is compared is compared by row numbers, of which
equal things have equal ones, and only what differs is looked at more closely.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks
from registry.sql.keys import data_id_from_row, with_data_id

Key = tuple[str, DataId]
"""Task and data id: what a quantum is, whatever its run."""


class Side(NamedTuple):
    """A quantum, in rows."""

    id: int
    state: str
    why: str
    """Why it was skipped, or how it failed."""
    config_id: int
    software_id: int
    calib_set_id: int


@dataclass(frozen=True, slots=True)
class RunSide:
    """A run with its quanta, what each read besides calibrations, and the content of what came out."""

    name: str
    quanta: Mapping[Key, Side]
    """In the order in which they were planned."""
    inputs: Mapping[int, Mapping[str, int]]
    """By quantum: role to dataset."""
    outputs: Mapping[int, Mapping[str, str]]
    """By quantum: type to hash of the content; of published ones."""


def load_side(connection: Connection, name: str, run_id: int) -> RunSide:
    """Read a run."""
    q, a, i, o = t.quantum.c, t.quantum_attempt.c, t.quantum_input.c, t.quantum_output.c
    latest = (a.quantum_id == q.id) & (a.number == q.attempt)
    columns = (q.id, q.task, q.state, q.reason, a.error_message, q.config_id, q.software_id, q.calib_set_id)
    query = select(*columns).join_from(t.quantum, t.quantum_attempt, latest, isouter=True).where(q.run_id == run_id)
    quanta = {
        (row.task, data_id_from_row(row)): Side(
            row.id, row.state, row.reason or row.error_message or "", row.config_id, row.software_id, row.calib_set_id
        )
        for row in connection.execute(with_data_id(query, t.quantum).order_by(q.id)).all()
    }
    inputs: defaultdict[int, dict[str, int]] = defaultdict(dict)
    read = select(i.quantum_id, i.role, i.dataset_id).join(t.quantum, q.id == i.quantum_id).where(q.run_id == run_id)
    for quantum, role, dataset in connection.execute(read).all():
        inputs[quantum][role] = dataset
    outputs: defaultdict[int, dict[str, str]] = defaultdict(dict)
    made = (
        select(o.quantum_id, o.role, t.artifact.c.content_sha256)
        .join_from(t.quantum_output, t.dataset, t.dataset.c.id == o.dataset_id)
        .join(t.quantum, q.id == o.quantum_id)
        .join(t.artifact, t.artifact.c.dataset_id == o.dataset_id)
        .where(q.run_id == run_id, t.dataset.c.status != "STAGED")
    )
    for quantum, role, content in connection.execute(made).all():
        outputs[quantum][role] = content
    return RunSide(name, quanta, inputs, outputs)


class Member(NamedTuple):
    """A calibration in a set, in rows."""

    dataset_id: int
    validity_id: int | None
    collection: str
    match_kind: str


def load_sets(connection: Connection, set_ids: Iterable[int]) -> dict[int, dict[str, Member]]:
    """Return the calibrations of sets, by role."""
    m, c = t.calib_set_member.c, t.collection.c
    query = select(m.set_id, m.role, m.dataset_id, m.validity_id, c.name, m.match_kind).join(
        t.collection, m.collection_id == c.id
    )
    found: dict[int, dict[str, Member]] = {number: {} for number in set_ids}
    for some in chunks(sorted(found)):
        for row in connection.execute(query.where(among(connection, m.set_id, some))):
            found[row.set_id][row.role] = Member(row.dataset_id, row.validity_id, row.name, row.match_kind)
    return found


def contents(connection: Connection, datasets: Iterable[int]) -> dict[int, str]:
    """Return the hashes of the content of datasets that have one."""
    a = t.artifact.c
    query = select(a.dataset_id, a.content_sha256)
    return {
        row.dataset_id: row.content_sha256
        for some in chunks(sorted(set(datasets)))
        for row in connection.execute(query.where(among(connection, a.dataset_id, some)))
    }


def changed_leaves(connection: Connection, blobs: Table, before: int, after: int) -> list[tuple[str, Any, Any]]:
    """Return path and both values of every leaf in which two stored JSON documents differ; None where there is none."""
    query = select(blobs.c.id, blobs.c.canonical).where(blobs.c.id.in_((before, after)))
    text = {row.id: row.canonical for row in connection.execute(query)}
    old, new = dict(leaves(json.loads(text[before]))), dict(leaves(json.loads(text[after])))
    paths = sorted({*old, *new}, key=str)
    return [(path, old.get(path), new.get(path)) for path in paths if old.get(path, ...) != new.get(path, ...)]


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Yield every value of a tree of mappings with its path, names joined by dots; a list is one value."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value
