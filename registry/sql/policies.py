"""What a repository does where a calibration is missing: a row for each type that it decided about, never deleted.

What no row decides, the dataset type does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from registry.errors import ConflictError, UserError
from registry.refs import Policy
from registry.sql import tables as t
from registry.sql.bulk import insert_rows
from registry.sql.dataset_types import dataset_types, type_row
from registry.sql.events import append_event, refuse_future
from registry.sql.remembered import counts, take_back
from registry.sql.validity_rows import Stamp


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """The policy of a type, and who decided it; `since` is None where nobody did and the type itself says it."""

    type: str
    policy: Policy
    since: Stamp | None


def set_policy(connection: Connection, type_name: str, policy: Policy, *, actor: str = "", reason: str) -> int | None:
    """Decide what is done where a type is missing; return the event, None if it was decided so already.

    Raises
    ------
    UnknownName
        If there is no such type.
    ConflictError
        If it is no calibration.
    UserError
        If no reason is given.
    """
    row = type_row(connection, type_name)
    if not row.type.is_calibration:
        raise ConflictError(f"{type_name} is not a type of calibrations; it has no policy", conflicts=[type_name])
    if not reason.strip():
        raise UserError("a policy wants a reason: whoever finds a calibration used so will ask", fix='--reason "..."')
    p = t.calib_policy.c
    query = select(p.id, p.on_missing, p.max_gap_ns).where(p.type_id == row.id, counts(t.calib_policy, None))
    old = connection.execute(query).first()
    if (_policy(old) if old else Policy(row.type.on_missing)) == policy:
        return None
    seq = append_event(
        connection, "policy", actor=actor, reason=reason, payload={"type": type_name, **policy.to_dict()}
    )
    if old is not None:
        take_back(connection, t.calib_policy, [old.id], seq)
    insert_rows(connection, t.calib_policy, [{"type_id": row.id, **policy.to_dict(), "added_at": seq}])
    return seq


def policies(connection: Connection, as_of: int | None = None) -> dict[str, Policy]:
    """Return the policy of each type that the repository decided about, now or as of an event."""
    p, d = t.calib_policy.c, t.dataset_type.c
    query = select(d.name, p.on_missing, p.max_gap_ns).join_from(t.calib_policy, t.dataset_type, p.type_id == d.id)
    rows = connection.execute(query.where(counts(t.calib_policy, as_of)).order_by(d.name))
    return {row.name: _policy(row) for row in rows}


def policy_rows(connection: Connection, as_of: int | None = None) -> list[PolicyRow]:
    """Return the policy of every calibration type, by name, now or as of an event.

    Raises
    ------
    UserError
        If event `as_of` has not happened yet.
    """
    refuse_future(connection, as_of)
    p, d, e = t.calib_policy.c, t.dataset_type.c, t.registry_event.c
    query = (
        select(d.name, p.on_missing, p.max_gap_ns, e.seq, e.at_ns, e.actor, e.reason)
        .join_from(t.calib_policy, t.dataset_type, p.type_id == d.id)
        .join(t.registry_event, p.added_at == e.seq)
        .where(counts(t.calib_policy, as_of))
    )
    decided = {
        row.name: PolicyRow(row.name, _policy(row), Stamp(row.seq, row.at_ns, row.actor, row.reason))
        for row in connection.execute(query)
    }
    kinds = {name: row.type for name, row in dataset_types(connection).items() if row.type.is_calibration}
    return [decided.get(name) or PolicyRow(name, Policy(kind.on_missing), None) for name, kind in kinds.items()]


def policies_for(
    connection: Connection, as_of: int | None, given: Mapping[str, Policy] | None = None
) -> dict[str, Policy]:
    """Return the policy of every dataset type: that of the call, else the repository's, else the type's own."""
    own = {name: Policy(row.type.on_missing) for name, row in dataset_types(connection).items()}
    return own | policies(connection, as_of) | dict(given or {})


def _policy(row: Any) -> Policy:
    return Policy(row.on_missing, row.max_gap_ns)
