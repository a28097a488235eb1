"""Marks of datasets: bad, missing or deleted, from one event to another.

What is marked is not handed out any more as a calibration; why, and who said so, is in the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from registry.errors import UnknownName, UserError, listed
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.datasets import dataset_rows, refs_by_row
from registry.sql.events import append_event, refuse_future
from registry.sql.remembered import counts, take_back

MarkKind = Literal["bad", "missing", "deleted"]
Datasets = Sequence[DatasetRef | UUID]


@dataclass(frozen=True, slots=True)
class Marked:
    """What marking, or taking marks back, did.

    Parameters
    ----------
    seq
        The event; None if nothing had to be done, and then nothing was written.
    changed
        The datasets whose mark changed.
    unchanged
        Those that had the mark already, or had none to take back.
    """

    seq: int | None
    changed: tuple[UUID, ...]
    unchanged: tuple[UUID, ...]

    def render(self, deed: str) -> str:
        """Say what was done; `deed` is what it was: ``marked bad``."""
        words = [f"{len(self.changed)} {deed}"] if self.changed or not self.unchanged else []
        words += [f"{len(self.unchanged)} {'were' if len(self.unchanged) > 1 else 'was'} already"] * bool(
            self.unchanged
        )
        return ", ".join(words) + ("" if self.seq is None else f" (event {self.seq})")

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {"event": self.seq, "changed": list(map(str, self.changed)), "unchanged": list(map(str, self.unchanged))}


@dataclass(frozen=True, slots=True)
class MarkRow:
    """A mark: on which dataset, what it says, who made it when (TAI ns) and why, and from which event to which."""

    ref: DatasetRef
    kind: MarkKind
    actor: str
    at_ns: int
    reason: str
    added_at: int
    removed_at: int | None


def mark(
    connection: Connection, datasets: Datasets, kind: MarkKind, *, actor: str, reason: str, dry_run: bool = False
) -> Marked:
    """Mark datasets; those that have the mark are left alone, and if all have it nothing is written at all.

    Parameters
    ----------
    connection
        A write transaction; one that reads is enough for a dry run.
    datasets
        Refs or ids.
    kind
        ``bad``: made wrong, not to be used; ``missing``: its file is gone; ``deleted``: somebody gave it up.
    actor, reason
        For the event; a reason must be given.
    dry_run
        Only say what would change.

    Raises
    ------
    UserError
        If there is no such kind, or no reason is given.
    UnknownName
        If any dataset is not registered; all that are not are listed, and nothing is marked.
    """
    _refuse_unreasoned(kind, reason)
    rows, marks = _rows_and_marks(connection, datasets, kind)
    new = {id_: row for id_, row in rows.items() if row not in marks}
    old = tuple(id_ for id_, row in rows.items() if row in marks)
    if not new or dry_run:
        return Marked(None, tuple(new), old)
    payload = {"kind": kind, "datasets": [str(id_) for id_ in new]}
    seq = append_event(connection, "mark", actor=actor, reason=reason, payload=payload)
    insert_rows(
        connection, t.dataset_mark, [{"dataset_id": row, "kind": kind, "added_at": seq} for row in new.values()]
    )
    return Marked(seq, tuple(new), old)


def unmark(
    connection: Connection, datasets: Datasets, kind: MarkKind, *, actor: str, reason: str, dry_run: bool = False
) -> Marked:
    """Take marks back; they stay readable as of events before. Parameters and refusals are those of `mark`."""
    _refuse_unreasoned(kind, reason)
    rows, marks = _rows_and_marks(connection, datasets, kind)
    old = {id_: row for id_, row in rows.items() if row in marks}
    bare = tuple(id_ for id_, row in rows.items() if row not in marks)
    if not old or dry_run:
        return Marked(None, tuple(old), bare)
    payload = {"kind": kind, "datasets": [str(id_) for id_ in old]}
    seq = append_event(connection, "unmark", actor=actor, reason=reason, payload=payload)
    take_back(connection, t.dataset_mark, [marks[row] for row in old.values()], seq)
    return Marked(seq, tuple(old), bare)


def marked(as_of: int | None = None, kinds: Sequence[MarkKind] = t.DATASET_MARKS) -> ColumnElement[bool]:  # type: ignore[assignment]
    """Return the condition on `tables.dataset` that a dataset has a mark; `as_of` is an event, None is now."""
    m = t.dataset_mark.c
    return select(m.id).where(m.dataset_id == t.dataset.c.id, m.kind.in_(kinds), counts(t.dataset_mark, as_of)).exists()


def marks_of(
    connection: Connection,
    datasets: Datasets | None = None,
    *,
    kind: MarkKind | None = None,
    as_of: int | None = None,
    history: bool = False,
) -> list[MarkRow]:
    """Return marks, in the order in which they were made.

    Parameters
    ----------
    datasets
        Of these only.
    kind
        Of this kind only.
    as_of
        As they were at an event; now if not given.
    history
        All that ever were, taken back or not.
    """
    refuse_future(connection, as_of)
    m, e = t.dataset_mark.c, t.registry_event.c
    query = select(m.dataset_id, m.kind, m.added_at, m.removed_at, e.actor, e.at_ns, e.reason)
    query = query.join_from(t.dataset_mark, t.registry_event, m.added_at == e.seq).order_by(m.id)
    if not history:
        query = query.where(counts(t.dataset_mark, as_of))
    if kind is not None:
        query = query.where(m.kind == kind)
    pieces = [query]
    if datasets is not None:
        rows = sorted(_rows(connection, datasets).values())
        pieces = [query.where(m.dataset_id.in_(some)) for some in chunks(rows)]
    found = [row for piece in pieces for row in connection.execute(piece)]
    refs = refs_by_row(connection, [row.dataset_id for row in found])
    return [
        MarkRow(refs[r.dataset_id], r.kind, r.actor, r.at_ns, r.reason, r.added_at, _or_none(r.removed_at))
        for r in found
    ]


def _refuse_unreasoned(kind: str, reason: str) -> None:
    """Refuse a mark that nobody could understand later."""
    if kind not in t.DATASET_MARKS:
        raise UserError(f"'{kind}' is not a mark of datasets; there is {', '.join(t.DATASET_MARKS)}")
    if not reason.strip():
        raise UserError(f"a mark '{kind}' wants a reason: whoever misses the data will ask", fix='--reason "..."')


def _rows_and_marks(connection: Connection, datasets: Datasets, kind: str) -> tuple[dict[UUID, int], dict[int, int]]:
    """Return the rows of datasets, and of those that are marked the row of the mark."""
    rows = _rows(connection, datasets)
    m = t.dataset_mark.c
    marks: dict[int, int] = {}
    for some in chunks(sorted(rows.values())):
        query = select(m.dataset_id, m.id).where(m.dataset_id.in_(some), m.kind == kind, counts(t.dataset_mark, None))
        marks |= {row.dataset_id: row.id for row in connection.execute(query)}
    return rows, marks


def _rows(connection: Connection, datasets: Datasets) -> dict[UUID, int]:
    """Return the rows of datasets in their order, refusing all that are not registered."""
    wanted = list(dict.fromkeys(_ids(datasets)))
    found = dataset_rows(connection, wanted)
    unknown = [id_ for id_ in wanted if id_ not in found]
    if unknown:
        message = f"{len(unknown)} dataset(s) are not registered here; nothing was done:\n{listed(unknown)}"
        raise UnknownName(message, kind="dataset", name=str(unknown[0]), fix="isrflow query datasets")
    return {id_: found[id_] for id_ in wanted}


def _ids(datasets: Datasets) -> Iterable[UUID]:
    return (one.id if isinstance(one, DatasetRef) else one for one in datasets)


def _or_none(removed_at: int) -> int | None:
    return None if removed_at == t.OPEN_ENDED else removed_at
