"""Saying what differs when a quantum is planned with another content than before."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, select

from registry.errors import ConflictError
from registry.refs import QuantumRow, QuantumSpec
from registry.sql import tables as t


def refuse_other_content(
    connection: Connection, pairs: Mapping[UUID, tuple[QuantumRow, QuantumSpec]], parts: Mapping[str, int]
) -> None:
    """Refuse specs whose content key is not that of the quantum that is there.

    Parameters
    ----------
    connection
        An open transaction.
    pairs
        Quanta that are there, with the specs of the same identity.
    parts
        Rows of the configuration and the software of the specs.

    Raises
    ------
    ConflictError
        Listing all, with what differs.
    """
    changed = [(row, spec) for row, spec in pairs.values() if row.content_key != spec.content_key]
    if not changed:
        return
    lines = [
        f"  {row.task} {row.data_id} ({row.state}): {_difference(connection, row, spec, parts)}"
        for row, spec in changed
    ]
    run = changed[0][0].run
    message = f"{len(changed)} quanta of run {run} are there with another content; nothing was planned:\n" + "\n".join(
        lines
    )
    raise ConflictError(message, conflicts=[row for row, _ in changed], fix="plan them into another run (--out RUN)")


def _difference(connection: Connection, row: QuantumRow, spec: QuantumSpec, parts: Mapping[str, int]) -> str:
    """Say which parts of the content of a quantum differ."""
    q, m, i = t.quantum.c, t.calib_set_member.c, t.quantum_input.c
    old = connection.execute(select(q.config_id, q.software_id, q.calib_set_id).where(q.id == row.id)).one()
    words = ["configuration"] if old.config_id != parts["config_id"] else []
    words += ["software"] if old.software_id != parts["software_id"] else []
    calibs = select(m.role, t.dataset.c.uuid).join(t.dataset, m.dataset_id == t.dataset.c.id)
    calibs = calibs.where(m.set_id == old.calib_set_id)
    new_calibs = {role: match.ref.id for role, match in spec.calibs}
    words += _changed_roles({r.role: r.uuid for r in connection.execute(calibs)}, new_calibs)
    inputs = select(i.role, t.dataset.c.uuid).join(t.dataset, i.dataset_id == t.dataset.c.id)
    inputs = inputs.where(i.quantum_id == row.id)
    words += _changed_roles({r.role: r.uuid for r in connection.execute(inputs)}, dict(spec.inputs))
    return ", ".join(words) or "something that only the content key sees (task or code version)"


def _changed_roles(old: Mapping[str, UUID], new: Mapping[str, UUID]) -> list[str]:
    """Describe the roles that are filled otherwise."""
    return [
        f"{role} {_short(old.get(role))} -> {_short(new.get(role))}"
        for role in sorted(old.keys() | new.keys())
        if old.get(role) != new.get(role)
    ]


def _short(uuid: UUID | None) -> str:
    """Return the beginning of an id."""
    return "none" if uuid is None else uuid.hex[:8]
