"""Planning quanta: what there is to do, or cannot be done, is recorded before anybody does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from registry.errors import UnknownName
from registry.refs import DataId, QuantumRow, QuantumSpec, quantum_uuid
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.blobs import blob_id, calib_set_ids
from registry.sql.bulk import chunks, in_order, insert_rows
from registry.sql.collections import collection_id, refuse_frozen
from registry.sql.datasets import dataset_rows
from registry.sql.keys import Key, data_id_keys
from registry.sql.quanta import load_quanta
from registry.sql.quantum_conflicts import refuse_other_content
from registry.sql.quantum_notes import add_notes, note_ids, notes_of
from registry.sql.remaking import with_products
from registry.times import now_ns

Skipped = tuple[str, DataId, str]
"""task, data id, reason"""


def plan_quanta(
    connection: Connection,
    run: str,
    specs: Sequence[QuantumSpec],
    *,
    config: Mapping[str, Any],
    software: Mapping[str, Any],
    retry_failed: bool = True,
) -> list[QuantumRow]:
    """Record work to do. What is done stays done; what has not begun is specified anew.

    Parameters
    ----------
    connection
        A write transaction.
    run
        The RUN collection that will own the results.
    specs
        The work; what was skipped before becomes real work.
    config, software
        What the results depend on besides their inputs; stored once, by content.
    retry_failed
        Whether what failed with the very same content gets another chance.

    Returns
    -------
    list of QuantumRow
        In the order of `specs`; those that are done are among them.

    Raises
    ------
    ConflictError
        If a quantum that is done, or being done, has another content key; all are listed, with what differs.
    UnknownName
        If the run, a data id or a dataset is not registered.
    FrozenError
        If there is something to do, and the run is frozen.
    """
    run_id = collection_id(connection, run, "RUN")
    wanted = {quantum_uuid(run, spec.task, spec.data_id): spec for spec in specs}
    there = _load(connection, wanted)
    parts = {
        "config_id": blob_id(connection, t.config_blob, config),
        "software_id": blob_id(connection, t.software_env, software),
    }
    idle, free = _idle(connection, there)
    refuse_other_content(connection, {u: (there[u], wanted[u]) for u in there if u not in free}, parts)
    open_specs = {u: spec for u, spec in wanted.items() if u not in there or u in free}
    if open_specs:
        refuse_frozen(connection, run)
    set_of = calib_set_ids(connection, {u: spec.calibs for u, spec in open_specs.items()})
    note_of = dict(zip(open_specs, note_ids(connection, [spec.notes for spec in open_specs.values()]), strict=True))
    same = _unchanged(connection, free, open_specs, set_of, note_of)
    fresh = {u: spec for u, spec in open_specs.items() if u not in same}
    keys = data_id_keys(connection, {spec.data_id for spec in fresh.values()})
    rows = {
        u: _values(u, run_id, spec.task, keys[spec.data_id])
        | parts
        | {"calib_set_id": set_of[u], "content_key": spec.content_key}
        | {"state": "planned", "reason": None, "retriable": 1, "worker": None, "lease_until_ns": None}
        for u, spec in fresh.items()
    }
    insert_rows(connection, t.quantum, [values for u, values in rows.items() if u not in there])
    _change(connection, [values | {"row": there[u].id} for u, values in rows.items() if u in there])
    _forget_inputs(connection, [there[u].id for u in rows if u in there])
    _add_inputs(connection, fresh, note_of)
    if retry_failed:
        _plan_again(
            connection, [quantum.id for u, quantum in idle.items() if u not in fresh and quantum.state == "failed"]
        )
    return _in_order(connection, wanted)


def skip_quanta(
    connection: Connection,
    run: str,
    skipped: Sequence[Skipped],
    *,
    config: Mapping[str, Any],
    software: Mapping[str, Any],
) -> list[QuantumRow]:
    """Record work that cannot be done, with the reason; what is done already, or being done, is left alone.

    Raises
    ------
    UnknownName
        If the run or a data id is not registered.
    FrozenError
        If the run is frozen, and it is news to it.
    """
    run_id = collection_id(connection, run, "RUN")
    wanted = {quantum_uuid(run, task, data_id): (task, data_id, reason) for task, data_id, reason in skipped}
    there = _load(connection, wanted)
    if set(wanted) - set(there):
        refuse_frozen(connection, run)
    parts = {
        "config_id": blob_id(connection, t.config_blob, config),
        "software_id": blob_id(connection, t.software_env, software),
        "calib_set_id": calib_set_ids(connection, {"none": ()})["none"],
        "content_key": "",
        "state": "skipped",
        "retriable": 1,
        "worker": None,
        "lease_until_ns": None,
    }
    keys = data_id_keys(connection, {data_id for _, data_id, _ in wanted.values()})
    rows = {
        u: _values(u, run_id, task, keys[data_id]) | parts | {"reason": reason}
        for u, (task, data_id, reason) in wanted.items()
    }
    insert_rows(connection, t.quantum, [values for u, values in rows.items() if u not in there])
    _, free = _idle(connection, there)
    _change(connection, [rows[u] | {"row": quantum.id} for u, quantum in free.items()])
    return _in_order(connection, wanted)


def _idle(
    connection: Connection, there: Mapping[UUID, QuantumRow]
) -> tuple[dict[UUID, QuantumRow], dict[UUID, QuantumRow]]:
    """Return the idle quanta, and those of them that may become other work, because nothing came of them yet."""
    idle = {u: quantum for u, quantum in there.items() if _is_idle(quantum)}
    bound = with_products(connection, [quantum.id for quantum in idle.values()])
    return idle, {u: quantum for u, quantum in idle.items() if quantum.id not in bound}


def _is_idle(quantum: QuantumRow) -> bool:
    """Say whether a quantum is neither done nor being done; a lease that has expired is nobody's."""
    if quantum.state == "leased":
        return quantum.lease_until_ns is not None and quantum.lease_until_ns < now_ns()
    return quantum.state != "done"


def _unchanged(
    connection: Connection,
    idle: Mapping[UUID, QuantumRow],
    specs: Mapping[UUID, QuantumSpec],
    set_of: Mapping[UUID, int],
    note_of: Mapping[UUID, int | None],
) -> set[UUID]:
    """Return the idle quanta that need not be written again: same content, same validity rows, same notes."""
    noted = notes_of(connection, [quantum.id for quantum in idle.values()])
    stored: dict[UUID, int] = {}
    for some in chunks(in_order(idle)):
        query = select(t.quantum.c.uuid, t.quantum.c.calib_set_id).where(among(connection, t.quantum.c.uuid, some))
        stored |= {row.uuid: row.calib_set_id for row in connection.execute(query)}
    return {
        u
        for u, quantum in idle.items()
        if quantum.state in {"planned", "failed"}
        and (quantum.content_key, stored[u], noted.get(quantum.id)) == (specs[u].content_key, set_of[u], note_of[u])
    }


def _load(connection: Connection, uuids: Iterable[UUID]) -> dict[UUID, QuantumRow]:
    """Return those of the quanta that exist."""
    found = [
        row
        for some in chunks(in_order(uuids))
        for row in load_quanta(connection, among(connection, t.quantum.c.uuid, some))
    ]
    return {row.uuid: row for row in found}


def _in_order(connection: Connection, uuids: Iterable[UUID]) -> list[QuantumRow]:
    """Return quanta in the order of their ids given."""
    order = list(uuids)
    found = _load(connection, order)
    return [found[uuid] for uuid in order]


def _values(uuid: UUID, run_id: int, task: str, key: Key) -> dict[str, Any]:
    """Return the column values that make a quantum's identity."""
    return {"uuid": uuid, "run_id": run_id, "task": task} | dict(zip(t.DATA_ID, key, strict=True))


def _change(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rewrite quanta in place, each `row` with its other values; their attempts stay as they were."""
    if rows:
        names = [name for name in rows[0] if name != "row"]
        values = {name: bindparam(f"new_{name}", type_=t.quantum.c[name].type) for name in names}
        statement = update(t.quantum).where(t.quantum.c.id == bindparam("which")).values(values)
        lines = [{"which": row["row"]} | {f"new_{name}": row[name] for name in names} for row in rows]
        connection.execute(statement, lines)


def _forget_inputs(connection: Connection, quanta: Sequence[int]) -> None:
    """Forget what quanta read that are specified anew, and what was noted of it."""
    for some in chunks(quanta):
        for table in (t.quantum_input, t.quantum_note):
            connection.execute(delete(table).where(among(connection, table.c.quantum_id, some)))


def _add_inputs(connection: Connection, specs: Mapping[UUID, QuantumSpec], note_of: Mapping[UUID, int | None]) -> None:
    """Write what the quanta read, and what is noted of it."""
    quanta_there: dict[UUID, int] = {}
    for some in chunks(in_order(specs)):
        query = select(t.quantum.c.uuid, t.quantum.c.id).where(among(connection, t.quantum.c.uuid, some))
        quanta_there |= {row.uuid: row.id for row in connection.execute(query)}
    inputs = {uuid for spec in specs.values() for _, uuid in spec.inputs}
    datasets = dataset_rows(connection, inputs)
    unknown = sorted(str(uuid) for uuid in inputs - set(datasets))
    if unknown:
        raise UnknownName(f"inputs are not registered: {', '.join(unknown)}", kind="dataset", name=unknown[0])
    rows = [
        {"quantum_id": quanta_there[u], "role": role, "dataset_id": datasets[uuid]}
        for u, spec in specs.items()
        for role, uuid in spec.inputs
    ]
    insert_rows(connection, t.quantum_input, rows)
    add_notes(connection, {row: note_of[u] for u, row in quanta_there.items()})


def _plan_again(connection: Connection, ids: Sequence[int]) -> None:
    """Give failed quanta another chance."""
    for some in chunks(ids):
        where = among(connection, t.quantum.c.id, some)
        connection.execute(update(t.quantum).where(where).values(state="planned", retriable=1))
