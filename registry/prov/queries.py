"""What a provenance document is made of, as queries over the quanta it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, literal, select, union

from registry.sql import tables as t

_Q, _A, _D = t.quantum.c, t.quantum_attempt.c, t.dataset.c
_I, _M = t.quantum_input.c, t.calib_set_member.c


@dataclass(frozen=True, slots=True)
class Scope:
    """Which quanta a document is about; `collections` are the runs that own them."""

    repository: UUID
    quanta: ColumnElement[bool]
    extra: ColumnElement[bool]
    """Datasets that are named although no quantum of these made or used them."""


def attempts_of(scope: Scope) -> Select[Any]:
    """Select the attempts of the quanta, with who and what they were made with."""
    return (
        select(
            *(_Q.uuid, _Q.task, _Q.attempt, _A.number, _A.worker, _A.outcome, _A.started_ns, _A.ended_ns),
            *(_A.cpu_s, _A.peak_rss_bytes, _A.error_message, t.collection.c.owner),
            t.config_blob.c.sha256.label("config"),
            t.software_env.c.sha256.label("software"),
            t.calib_set.c.sha256.label("calib_set"),
            t.context.c.sha256.label("context"),
        )
        .join_from(t.quantum_attempt, t.quantum, _Q.id == _A.quantum_id)
        .join(t.config_blob, t.config_blob.c.id == _Q.config_id)
        .join(t.software_env, t.software_env.c.id == _Q.software_id)
        .join(t.calib_set, t.calib_set.c.id == _Q.calib_set_id)
        .join(t.collection, t.collection.c.id == _Q.run_id)
        .outerjoin(t.run, t.run.c.collection_id == _Q.run_id)
        .outerjoin(t.context, t.context.c.id == t.run.c.context_id)
        .where(scope.quanta)
        .order_by(_A.quantum_id, _A.number)
    )


def _latest(query: Select[Any], scope: Scope) -> Select[Any]:
    """Limit to quanta that were tried, with when their latest attempt began."""
    latest = (_A.quantum_id == _Q.id) & (_A.number == _Q.attempt)
    return (
        query.add_columns(_Q.uuid.label("quantum"), _A.started_ns).join(t.quantum_attempt, latest).where(scope.quanta)
    )


def data_of(scope: Scope) -> Select[Any]:
    """Select the data that quanta used, by role."""
    query = select(_I.role, _D.uuid.label("dataset")).join_from(t.quantum_input, t.quantum, _Q.id == _I.quantum_id)
    return _latest(query.join(t.dataset, _D.id == _I.dataset_id), scope).order_by(_Q.id, _I.role)


def calibs_of(scope: Scope) -> Select[Any]:
    """Select the calibrations that quanta used, by role, and how each was found."""
    query = (
        select(
            _M.role, _D.uuid.label("dataset"), _M.validity_id, _M.match_kind, t.collection.c.name.label("collection")
        )
        .join_from(t.quantum, t.calib_set_member, _M.set_id == _Q.calib_set_id)
        .join(t.dataset, _D.id == _M.dataset_id)
        .join(t.collection, t.collection.c.id == _M.collection_id)
    )
    return _latest(query, scope).order_by(_Q.id, _M.role)


def configs_of(scope: Scope) -> Select[Any]:
    """Select the configuration of each quantum."""
    c = t.config_blob.c
    query = select(c.sha256, literal("config").label("role")).join_from(t.quantum, t.config_blob, c.id == _Q.config_id)
    return _latest(query, scope).order_by(_Q.id)


def runs_of(scope: Scope) -> Select[Any]:
    """Select the runs that own the quanta."""
    c = t.collection.c
    return select(c.name, c.owner).where(c.id.in_(select(_Q.run_id).where(scope.quanta))).order_by(c.id)


def _used_validity(scope: Scope) -> Select[Any]:
    query = select(_M.validity_id).join(t.quantum, _Q.calib_set_id == _M.set_id)
    return query.where(scope.quanta, _M.validity_id.is_not(None))


def validities_of(scope: Scope) -> Select[Any]:
    """Select the statements of validity by which calibrations were found."""
    v, certified, revoked = t.calib_validity.c, t.registry_event.alias("certified"), t.registry_event.alias("revoked")
    return (
        select(
            *(v.id, v.begin_ns, v.end_ns, v.certified_at, v.revoked_at, _D.uuid.label("dataset")),
            *(t.collection.c.name.label("collection"), t.dataset_type.c.name.label("type")),
            *(certified.c.at_ns.label("certified_ns"), revoked.c.at_ns.label("revoked_ns")),
        )
        .join_from(t.calib_validity, t.dataset, _D.id == v.dataset_id)
        .join(t.collection, t.collection.c.id == v.collection_id)
        .join(t.dataset_type, t.dataset_type.c.id == v.type_id)
        .join(certified, certified.c.seq == v.certified_at)
        .outerjoin(revoked, revoked.c.seq == v.revoked_at)
        .where(v.id.in_(_used_validity(scope)))
        .order_by(v.id)
    )


def event_numbers_of(scope: Scope) -> CompoundSelect[Any]:
    """Select the events that made or revoked those statements."""
    v = t.calib_validity.c
    inside = v.id.in_(_used_validity(scope))
    return union(select(v.certified_at).where(inside), select(v.revoked_at).where(inside, v.revoked_at != t.OPEN_ENDED))


def events_of(scope: Scope) -> Select[Any]:
    """Select those events with what they say."""
    e = t.registry_event.c
    query = select(e.seq, e.at_ns, e.actor, e.kind, e.reason, e.hash)
    return query.where(e.seq.in_(event_numbers_of(scope))).order_by(e.seq)
