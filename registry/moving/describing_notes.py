"""What people said of the data of a package, as records: marks, flags, corrected headers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, select

from registry.moving.rows import Described, distinct, rows_among, said
from registry.sql import tables as t
from registry.sql.noted_targets import target_from_row, with_place
from registry.sql.remembered import counts

_SAID = (t.registry_event.c.at_ns, t.registry_event.c.actor, t.registry_event.c.reason)


def describe_notes(connection: Connection, datasets: Sequence[int]) -> Described:
    """Yield the marks of datasets, and the flags and corrected cards of their exposures."""
    yield from _marks(connection, datasets)
    exposures = distinct(connection, select(t.dataset.c.exposure_id), t.dataset.c.id, datasets) - {t.NOT_APPLICABLE}
    yield from _of_exposures(connection, sorted(exposures), "flag", t.quality_flag, ("flag",))
    yield from _of_exposures(connection, sorted(exposures), "header", t.header_correction, ("keyword", "value"))


def _marks(connection: Connection, datasets: Sequence[int]) -> Described:
    m, event = t.dataset_mark.c, t.registry_event.c
    query = (
        select(t.dataset.c.uuid, m.kind, *_SAID)
        .join_from(t.dataset_mark, t.dataset, t.dataset.c.id == m.dataset_id)
        .join(t.registry_event, event.seq == m.added_at)
        .where(counts(t.dataset_mark, None))
    )
    for row in rows_among(connection, query, m.dataset_id, datasets, m.dataset_id, m.id):
        yield "mark", {"dataset": str(row.uuid), "kind": row.kind, "said": said(row)}


def _of_exposures(
    connection: Connection, exposures: Sequence[int], is_: str, table: Table, own: tuple[str, ...]
) -> Described:
    """Yield one kind of note, with the columns that are its own."""
    c = table.c
    query = (
        with_place(select(*(c[name] for name in own)).select_from(table), c.exposure_id, c.detector_id)
        .add_columns(*_SAID)
        .join(t.registry_event, t.registry_event.c.seq == c.added_at)
        .where(counts(table, None))
    )
    for row in rows_among(connection, query, c.exposure_id, exposures, c.exposure_id, c.id):
        told = {"data_id": target_from_row(row).to_dict(), "said": said(row)}
        yield is_, told | {name: getattr(row, name) for name in own}
