"""The work of a package as records: settings, software, sets of calibrations, quanta."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from registry.moving.rows import FEW, Described, calib_sets_of, distinct, rows_among
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.keys import data_id_from_row, with_data_id


def describe_work(connection: Connection, quanta: Sequence[int]) -> Described:
    """Yield the records of quanta, after those of what they were done with."""
    yield from _blobs(connection, quanta)
    yield from _calib_sets(connection, quanta)
    yield from _quanta(connection, quanta)


def _blobs(connection: Connection, quanta: Sequence[int]) -> Described:
    """Tell configurations, software and what was noted of raws, each once."""
    q, n = t.quantum.c, t.quantum_note.c
    for table, used in (
        (t.config_blob, distinct(connection, select(q.config_id), q.id, quanta)),
        (t.config_blob, distinct(connection, select(n.note_id), n.quantum_id, quanta)),
        (t.software_env, distinct(connection, select(q.software_id), q.id, quanta)),
    ):
        query = select(table.c.sha256, table.c.canonical)
        for row in rows_among(connection, query, table.c.id, sorted(used), table.c.sha256):
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
    for some in chunks(sorted(calib_sets_of(connection, quanta)), FEW):
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
    for some in chunks(quanta, FEW):
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
