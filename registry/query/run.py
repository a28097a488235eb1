"""Asking: a condition in, rows, refs or records out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, union

from registry.dimensions import ExposureRecord
from registry.errors import UnknownName, UserError
from registry.query.build import condition
from registry.query.fields import Source, Subject, What, subject
from registry.query.paging import Page, beyond, fingerprint, read_token, sortings, write_token
from registry.query.rows import Rows
from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.exposures import exposure_from_row
from registry.sql.remembered import counts

_NOTHING: Mapping[str, Any] = {}


def select_rows(
    connection: Connection,
    what: What,
    where: str = "",
    *,
    bind: Mapping[str, Any] = _NOTHING,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    after: str | None = None,
    columns: Sequence[str] | None = None,
) -> Rows:
    """Return rows for people; of datasets only those that are LIVE, unless the condition speaks of ``status``.

    Parameters
    ----------
    connection
        An open transaction.
    what, where, bind
        What is asked for, see `registry.query.syntax`.
    order_by
        Fields to sort by, ``-name`` for descending.
    limit
        At most so many; a page of so many if there are more.
    after
        The `Rows.next_page` of the page before.
    columns
        Fields to show; the usual ones if None.

    Raises
    ------
    QuerySyntaxError, UnknownName
        If the condition cannot be read, or a field is not known.
    UserError
        If `after` is not a page of this query.
    """
    if limit is not None and limit < 1:
        raise UserError(f"a limit is a whole number from 1, not {limit}")
    about = subject(what)
    chosen = _chosen(about, columns)
    order = sortings(about, order_by)
    query = _query(about, [source.column for source in chosen.values()], where, bind)
    if limit is None and after is None:
        found = connection.execute(query.order_by(*(one.clause for one in order))).all()
        return _rows(what, chosen, found, None)
    identity = fingerprint(what, where, bind, order)
    page = Page(_newest(connection, about)) if after is None else read_token(after, identity, order)
    query = query.add_columns(*(one.source.column for one in order)).where(about.row <= page.newest)
    if page.after is not None:
        query = query.where(beyond(order, page.after))
    query = query.order_by(*(one.clause for one in order)).limit(None if limit is None else limit + 1)
    found = connection.execute(query).all()
    more = limit is not None and len(found) > limit
    last = tuple(found[limit - 1][len(chosen) :]) if more and limit is not None else None
    token = write_token(identity, Page(page.newest, last)) if last is not None else None
    return _rows(what, chosen, found[:limit], token)


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
    about = subject("datasets")
    query = _query(about, REF_COLUMNS, where, bind)
    if types is not None:
        query = query.where(t.dataset_type.c.name.in_(types))
    if collection_ids is not None:
        query = query.where(_inside(connection, collection_ids))
    return [ref_of(row) for row in connection.execute(_ordered(query, about, order_by).limit(limit))]


def select_exposures(
    connection: Connection,
    where: str = "",
    *,
    bind: Mapping[str, Any] = _NOTHING,
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> list[ExposureRecord]:
    """Return exposures as records."""
    about = subject("exposures")
    query = _query(about, _EXPOSURE_COLUMNS, where, bind)
    return [exposure_from_row(row) for row in connection.execute(_ordered(query, about, order_by).limit(limit))]


def dataset_ids(where: str, bind: Mapping[str, Any] = _NOTHING) -> Select[Any]:
    """Return the query for the rows of the datasets that a condition selects."""
    return _query(subject("datasets"), [t.dataset.c.id], where, bind)


def base_conditions(about: Subject, spoken_of: frozenset[str] | set[str]) -> list[ColumnElement[bool]]:
    """Return what always holds: no sentinel row, and only LIVE datasets unless the condition speaks of ``status``."""
    if about.what == "exposures":
        return [t.exposure.c.id != t.NOT_APPLICABLE]
    if about.what == "datasets" and "status" not in spoken_of:
        return [t.dataset.c.status == "LIVE"]
    return []


def _query(about: Subject, columns: Sequence[ColumnElement[Any]], where: str, bind: Mapping[str, Any]) -> Select[Any]:
    """Return the SELECT for a condition over a subject."""
    query = select(*columns).select_from(about.tables)
    spoken_of: frozenset[str] = frozenset()
    if where.strip():
        clause, spoken_of = condition(where, about, bind)
        query = query.where(clause)
    elif bind:
        raise UnknownName(f"the query does not use the value(s) {', '.join(bind)}", kind="bind", name=min(bind))
    return query.where(*base_conditions(about, spoken_of))


def _ordered(query: Select[Any], about: Subject, order_by: Sequence[str]) -> Select[Any]:
    return query.order_by(*(one.clause for one in sortings(about, order_by)))


def _newest(connection: Connection, about: Subject) -> int:
    return int(connection.execute(select(func.coalesce(func.max(about.row), 0))).scalar_one())


def _chosen(about: Subject, columns: Sequence[str] | None) -> dict[str, Source]:
    """Return the fields to be shown."""
    found = {name: about.find(name) for name in about.shown if columns is None} or {
        name: about.find(name) for name in columns or ()
    }
    shown = {name: source for name, source in found.items() if source is not None and source.some is None}
    unknown = [name for name in found if name not in shown]
    if unknown:
        kind = f"column of {about.what}"
        known = [name for name in about.names if about.fields[about.names[name]].some is None]
        raise UnknownName(kind=kind, name=", ".join(unknown), known=known, fix=f"isrflow query {about.what} --fields")
    return shown


def _rows(what: What, chosen: Mapping[str, Source], found: Sequence[Row[Any]], next_page: str | None) -> Rows:
    keys = [source.key for source in chosen.values()]
    width = len(keys)
    values = [tuple(row[:width]) for row in found]
    if any(key is not None for key in keys):
        values = [tuple(_within(value, key) for value, key in zip(row, keys, strict=True)) for row in values]
    return Rows(what, {name: (source.kind, source.unit) for name, source in chosen.items()}, values, next_page)


def _within(value: Any, key: str | None) -> Any:
    """Return what a JSON object has at a key."""
    return value if key is None else json.loads(value or "{}").get(key)


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


def _inside(connection: Connection, collection_ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a dataset is in one of these; a union, because an OR would look at every dataset."""
    c, d, g, v = t.collection.c, t.dataset.alias("member").c, t.dataset_tag.c, t.calib_validity.c
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    for row in connection.execute(select(c.id, c.kind).where(c.id.in_(collection_ids))):
        kinds[row.kind].append(row.id)
    if set(kinds) <= {"RUN"}:
        return t.dataset.c.run_id.in_(kinds["RUN"])
    parts = {
        "RUN": select(d.id).where(d.run_id.in_(kinds["RUN"])),
        "TAGGED": select(g.dataset_id).where(g.collection_id.in_(kinds["TAGGED"]), counts(t.dataset_tag, None)),
        "CALIBRATION": select(v.dataset_id).where(
            v.type_id.in_(select(t.dataset_type.c.id)),  # says nothing, but is where the index begins
            v.collection_id.in_(kinds["CALIBRATION"]),
            v.revoked_at == t.OPEN_ENDED,
        ),
    }
    return t.dataset.c.id.in_(union(*(part for kind, part in parts.items() if kind in kinds)))


_EXPOSURE_COLUMNS: tuple[ColumnElement[Any], ...] = (
    t.instrument.c.name.label("instrument"),
    subject("exposures").fields["physical_filter"].column.label("filter_name"),
    t.readout_mode.c.canonical.label("mode"),
    *(column for column in t.exposure.c if column.name not in {"id", "instrument_id", "mode_id", "mid_ns"}),
)
"""The columns that `exposure_from_row` reads."""
