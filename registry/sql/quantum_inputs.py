"""All that goes into one quantum, and what came out, read back from the rows."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from registry.errors import UnknownName
from registry.refs import DatasetRef, Match, QuantumInputs
from registry.sql import tables as t
from registry.sql.datasets import refs_by_row
from registry.sql.quanta import load_quanta
from registry.sql.quantum_notes import read_notes


def quantum_inputs(connection: Connection, quantum_id: int) -> QuantumInputs:
    """Return the data, calibrations, configuration and software of a quantum.

    Raises
    ------
    UnknownName
        If there is no such quantum.
    """
    found = load_quanta(connection, t.quantum.c.id == quantum_id)
    if not found:
        raise UnknownName(kind="quantum", name=str(quantum_id))
    q, config, software = t.quantum.c, t.config_blob.c, t.software_env.c
    query = (
        select(
            q.calib_set_id,
            *(config.canonical.label("config"), config.sha256.label("config_sha256")),
            *(software.canonical.label("software"), software.sha256.label("software_sha256")),
            t.calib_set.c.sha256.label("set_sha256"),
            *(t.context.c.name.label("context"), t.context.c.sha256.label("context_sha256")),
        )
        .join_from(t.quantum, t.config_blob, q.config_id == config.id)
        .join(t.software_env, q.software_id == software.id)
        .join(t.calib_set, q.calib_set_id == t.calib_set.c.id)
        .outerjoin(t.run, q.run_id == t.run.c.collection_id)
        .outerjoin(t.context, t.run.c.context_id == t.context.c.id)
        .where(q.id == quantum_id)
    )
    row = connection.execute(query).one()
    matches = set_members(connection, row.calib_set_id)
    return QuantumInputs(
        quantum=found[0],
        data=_data(connection, quantum_id),
        calibs={role: match.ref for role, match in matches.items()},
        matches=matches,
        config=json.loads(row.config),
        config_sha256=row.config_sha256,
        software=json.loads(row.software),
        software_sha256=row.software_sha256,
        calib_set_sha256=row.set_sha256,
        notes=read_notes(connection, quantum_id),
        context=None if row.context is None else (row.context, row.context_sha256),
    )


def output_refs(connection: Connection, quantum_id: int) -> dict[str, DatasetRef]:
    """Return the outputs of a quantum by role."""
    o = t.quantum_output.c
    rows = connection.execute(select(o.role, o.dataset_id).where(o.quantum_id == quantum_id)).all()
    refs = refs_by_row(connection, [row.dataset_id for row in rows])
    return {row.role: refs[row.dataset_id] for row in rows}


def set_members(connection: Connection, set_id: int) -> dict[str, Match]:
    """Return the calibrations of a set by role, and how each was found."""
    m = t.calib_set_member.c
    query = select(m.role, m.dataset_id, m.validity_id, t.collection.c.name, m.warning, m.match_kind, m.gap_ns)
    rows = connection.execute(
        query.join(t.collection, m.collection_id == t.collection.c.id).where(m.set_id == set_id)
    ).all()
    refs = refs_by_row(connection, [row.dataset_id for row in rows])
    return {
        row.role: Match(refs[row.dataset_id], row.validity_id, row.name, row.warning, row.match_kind, row.gap_ns)
        for row in rows
    }


def _data(connection: Connection, quantum_id: int) -> dict[str, DatasetRef]:
    """Return the data inputs by role."""
    i = t.quantum_input.c
    rows = connection.execute(select(i.role, i.dataset_id).where(i.quantum_id == quantum_id)).all()
    refs = refs_by_row(connection, [row.dataset_id for row in rows])
    return {row.role: refs[row.dataset_id] for row in rows}
