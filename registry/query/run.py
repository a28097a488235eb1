"""Asking: a condition in, rows, refs or records out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, or_, select

from registry.dimensions import ExposureRecord
from registry.query.build import condition, ordering
from registry.query.fields import Kind, Source, Subject, What, subject
from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.exposures import exposure_from_row
from registry.sql.remembered import counts
from registry.times import format_time

_NOTHING: Mapping[str, Any] = {}


def select_rows(
    connection: Connection,
    what: What,
    where: str = "",
    *,
    bind: Mapping[str, Any] = _NOTHING,
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return rows for people: plain values by field name, times as texts in UTC, ids in full.

    Of datasets only those that are LIVE, unless the condition speaks of ``status``.
    """
    about = subject(what)
    chosen = {name: about.fields[name] for name in about.shown}
    query = _query(
        about, [source.column for source in chosen.values()], where, bind=bind, order_by=order_by, limit=limit
    )
    return [_row(chosen, row) for row in connection.execute(query)]


def select_refs(
    connection: Connection,
    where: str = "",
    *,
    types: Sequence[str] | None = None,
    collection_ids: Sequence[int] | None = None,
    bind: Mapping[str, Any] = _NOTHING,
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> list[DatasetRef]:
    """Return datasets, those LIVE unless the condition speaks of ``status``.

    Parameters
    ----------
    connection, where, bind, order_by, limit
        As in `select_rows`.
    types
        Names of dataset types; None for all.
    collection_ids
        Flattened collections: members of a RUN or TAGGED one, and what is certified in a CALIBRATION one now.
    """
    query = _query(subject("datasets"), REF_COLUMNS, where, bind=bind, order_by=order_by, limit=limit)
    if types is not None:
        query = query.where(t.dataset_type.c.name.in_(types))
    if collection_ids is not None:
        query = query.where(_inside(collection_ids))
    return [ref_of(row) for row in connection.execute(query)]


def select_exposures(
    connection: Connection,
    where: str = "",
    *,
    bind: Mapping[str, Any] = _NOTHING,
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> list[ExposureRecord]:
    """Return exposures as records."""
    query = _query(subject("exposures"), _EXPOSURE_COLUMNS, where, bind=bind, order_by=order_by, limit=limit)
    return [exposure_from_row(row) for row in connection.execute(query)]


def refs_where(connection: Connection, clause: ColumnElement[bool]) -> list[DatasetRef]:
    """Return the datasets, of any status, that fulfil an SQL condition on the tables of the subject "datasets"."""
    query = select(*REF_COLUMNS).select_from(subject("datasets").tables).where(clause).order_by(t.dataset.c.id)
    return [ref_of(row) for row in connection.execute(query)]


def _query(
    about: Subject,
    columns: Sequence[ColumnElement[Any]],
    where: str,
    *,
    bind: Mapping[str, Any],
    order_by: Sequence[str],
    limit: int | None,
) -> Select[Any]:
    """Return the SELECT for a condition over a subject."""
    query = select(*columns).select_from(about.tables).where(*_real_rows(about))
    spoken_of: frozenset[str] = frozenset()
    if where.strip():
        clause, spoken_of = condition(where, about, bind)
        query = query.where(clause)
    if about.what == "datasets" and "status" not in spoken_of:
        query = query.where(t.dataset.c.status == "LIVE")
    return query.order_by(*ordering(about, order_by)).limit(limit)


def _real_rows(about: Subject) -> list[ColumnElement[bool]]:
    """Leave the sentinel row out."""
    return [t.exposure.c.id != t.NOT_APPLICABLE] if about.what == "exposures" else []


def _row(chosen: Mapping[str, Source], row: Row[Any]) -> dict[str, Any]:
    return {
        name: None if value is None else _SHOWN.get(source.kind, _same)(value)
        for (name, source), value in zip(chosen.items(), row, strict=True)
    }


def _same(value: Any) -> Any:
    return value


_SHOWN: Mapping[Kind, Callable[[Any], Any]] = {Kind.TIME: format_time, Kind.ID: str, Kind.TRUTH: bool}

_DATASET_FIELDS = subject("datasets").fields
REF_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(
        _DATASET_FIELDS[name].column.label(name)
        for name in ("id", "type", "run", "status", "size", "path", "sha256", "content_sha256")
    ),
    *(_DATASET_FIELDS[name].column.label(name) for name in ("instrument", "exposure", "detector")),
    subject("datasets").tables.c.own_filter_name.label("physical_filter"),
)
"""The columns that make a `DatasetRef`; the filter is the dataset's own, not that of its exposure."""


def ref_of(row: Row[Any]) -> DatasetRef:
    """Return the ref that a row of `REF_COLUMNS` is."""
    return DatasetRef(
        id=row.id,
        type=row.type,
        run=row.run,
        data_id=DataId(row.instrument, row.exposure, row.detector, row.physical_filter),
        sha256=row.sha256,
        content_sha256=row.content_sha256,
        size=row.size,
        path=row.path,
        status=row.status,
    )


def _inside(collection_ids: Sequence[int]) -> ColumnElement[bool]:
    tagged = exists().where(
        t.dataset_tag.c.dataset_id == t.dataset.c.id,
        t.dataset_tag.c.collection_id.in_(collection_ids),
        counts(t.dataset_tag, None),
    )
    certified = exists().where(
        t.calib_validity.c.dataset_id == t.dataset.c.id,
        t.calib_validity.c.collection_id.in_(collection_ids),
        t.calib_validity.c.revoked_at == t.OPEN_ENDED,
    )
    return or_(t.dataset.c.run_id.in_(collection_ids), tagged, certified)


_EXPOSURE_COLUMNS: tuple[ColumnElement[Any], ...] = (
    t.instrument.c.name.label("instrument"),
    subject("exposures").fields["physical_filter"].column.label("filter_name"),
    t.readout_mode.c.canonical.label("mode"),
    *(column for column in t.exposure.c if column.name not in {"id", "instrument_id", "mode_id", "mid_ns"}),
)
"""The columns that `exposure_from_row` reads."""
