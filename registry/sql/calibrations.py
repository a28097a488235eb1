"""Certifying and decertifying calibrations.

Nothing is ever deleted: a range is closed by an event, and what is left of it is written anew.

Every change is first worked out as a `CertifyDiff` and then carried out, so a dry run shows exactly what would be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Connection, update

from registry.errors import UnknownName, ValidityOverlap, listed
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.among import among
from registry.sql.bulk import chunks, insert_rows
from registry.sql.certify_slots import Slot, certifiable, dataset_slots, open_slots, with_modes
from registry.sql.certify_words import certify_command, free_pieces
from registry.sql.collections import collection_id
from registry.sql.datasets import refs_by_row
from registry.sql.events import append_event
from registry.sql.locks import lock_log
from registry.sql.raw_modes import mode_texts
from registry.sql.validity_rows import ValidityRow, load_validity, spell_rows
from registry.sql.validity_seal import rows_sha256
from registry.times import spell_span
from registry.timespan import Timespan

CertifyMode = Literal["strict", "idempotent", "replace", "fill-gaps"]


@dataclass(frozen=True)
class CertifyDiff:
    """What a change of validity does, or would do: rows added, rows closed, rows that already said the same.

    `event_seq` is the number of the event that records it; None if nothing changed or it was a dry run.
    """

    added: tuple[ValidityRow, ...]
    closed: tuple[ValidityRow, ...]
    unchanged: tuple[ValidityRow, ...]
    event_seq: int | None = None
    dry_run: bool = False
    span: Timespan | None = None
    """The range that was asked for."""

    def render(self) -> str:
        """Return the change as text; what many detectors have in common is one line."""
        signs = (("+", self.added), ("-", self.closed), ("=", self.unchanged))
        lines = [f"{sign} {line}" for sign, rows in signs for line in spell_rows(rows)]
        counts = f"{len(self.added)} added, {len(self.closed)} closed, {len(self.unchanged)} unchanged"
        asked = [] if self.span is None or lines else [f"valid {spell_span(self.span)}"]
        counts += f" (event {self.event_seq})" if self.event_seq is not None else ""
        return "\n".join([*asked, *lines, f"{counts} (dry run: nothing was changed)" if self.dry_run else counts])


def certify(
    connection: Connection,
    collection: str,
    refs: Sequence[DatasetRef],
    span: Timespan,
    *,
    mode: CertifyMode = "idempotent",
    actor: str = "",
    reason: str = "",
    dry_run: bool = False,
    readout_mode: Mapping[str, Any] | None = None,
) -> CertifyDiff:
    """Declare datasets valid in a range of time.

    Parameters
    ----------
    connection
        A write transaction (a read one does for a dry run).
    collection
        A CALIBRATION collection.
    refs
        Live datasets of calibration types, at most one of each type and data id.
    span
        When they are valid.
    mode
        What to do where something is valid already: ``strict`` refuses any overlap; ``idempotent`` any overlap with
        another dataset, and adds what is new of the same; ``replace`` closes what is there and keeps what sticks out;
        ``fill-gaps`` adds only where nothing is.
    actor, reason
        Who and why, for the log.
    dry_run
        Only say what would change.
    readout_mode
        The mode of exposures that they serve, if their types are matched by mode; that of the raws they were made of
        if not given.

    Raises
    ------
    ValidityOverlap
        Listing every row in the way, with range, dataset, and who certified it when; what is free, and the commands.
    ConflictError
        If the datasets cannot be certified together, or at all; all reasons are listed.
    UnknownName
        If the collection or a dataset does not exist.
    """
    if mode not in get_args(CertifyMode):
        raise UnknownName(kind="mode of certification", name=mode, known=get_args(CertifyMode))
    if not dry_run:
        lock_log(connection)  # what is read from here on stays true until this is written
    home = collection_id(connection, collection, "CALIBRATION")
    datasets = with_modes(connection, certifiable(connection, refs), readout_mode)
    there = open_slots(connection, home, {row.key[0] for row in datasets}, span)
    new: list[tuple[Slot, Timespan]] = []
    close: list[Slot] = []
    unchanged: list[Slot] = []
    clashes: list[Slot] = []
    for dataset in datasets:
        old = there.get(dataset.place, [])
        same = all(row.dataset_id == dataset.dataset_id for row in old)
        if mode == "fill-gaps" or (same and mode != "strict"):
            new += [(dataset, gap) for gap in free_pieces(span, [row.span for row in old])]
            unchanged += old
        elif mode == "replace" or not old:
            close += old
            new += [(row, left) for row in old for left in row.span.difference(span)] + [(dataset, span)]
        else:
            clashes += old
    if clashes:
        raise _overlap(connection, collection, refs, span, clashes, mode=mode)
    log = _Change(connection, collection, home, "certify", actor, reason, dry_run)
    return log.apply(new, close, unchanged, span)


def decertify(
    connection: Connection,
    collection: str,
    refs: Sequence[DatasetRef],
    span: Timespan,
    *,
    actor: str = "",
    reason: str = "",
    dry_run: bool = False,
) -> CertifyDiff:
    """Declare that datasets are not valid in a range of time after all; what sticks out of the range stays valid.

    Raises
    ------
    UnknownName
        If the collection or a dataset does not exist.
    """
    if not dry_run:
        lock_log(connection)
    home = collection_id(connection, collection, "CALIBRATION")
    datasets = dataset_slots(connection, refs)
    wanted = {row.dataset_id for row in datasets}
    there = open_slots(connection, home, {row.key[0] for row in datasets}, span)
    close = [row for rows in there.values() for row in rows if row.dataset_id in wanted]
    left = [(row, piece) for row in close for piece in row.span.difference(span)]
    log = _Change(connection, collection, home, "decertify", actor, reason, dry_run)
    return log.apply(left, close, [], span)


@dataclass(frozen=True)
class _Change:
    """A change of one collection, to be written under one event."""

    connection: Connection
    collection: str
    home: int
    kind: str
    actor: str
    reason: str
    dry_run: bool

    def apply(
        self, new: Sequence[tuple[Slot, Timespan]], close: Sequence[Slot], unchanged: Sequence[Slot], span: Timespan
    ) -> CertifyDiff:
        """Write the change, unless it is none or a dry run, and return it as a diff."""
        closed = _described(self.connection, close)
        same = _described(self.connection, unchanged)
        if self.dry_run or not (new or close):
            return CertifyDiff(self._planned(new), closed, same, None, self.dry_run, span)
        seq = append_event(
            self.connection, self.kind, actor=self.actor, reason=self.reason, payload=self._payload(new, close, span)
        )
        for some in chunks([row.validity_id for row in close]):
            ids = among(self.connection, t.calib_validity.c.id, some)
            self.connection.execute(update(t.calib_validity).where(ids).values(revoked_at=seq))
        insert_rows(self.connection, t.calib_validity, [self._values(row, piece, seq) for row, piece in new])
        added = load_validity(self.connection, t.calib_validity.c.certified_at == seq)
        revoked = load_validity(self.connection, t.calib_validity.c.revoked_at == seq)
        return CertifyDiff(tuple(added), tuple(revoked), same, seq, span=span)

    def _values(self, row: Slot, span: Timespan, seq: int) -> dict[str, Any]:
        """Return the column values of a new validity row."""
        return {
            "collection_id": self.home,
            "mode_id": row.mode_id,
            "begin_ns": span.begin_ns,
            "end_ns": span.end_ns,
            "dataset_id": row.dataset_id,
            "certified_at": seq,
        } | dict(zip(("type_id", "instrument_id", "detector_id", "filter_id"), row.key, strict=True))

    def _payload(self, new: Sequence[tuple[Slot, Timespan]], close: Sequence[Slot], span: Timespan) -> dict[str, Any]:
        """Return what the event records: the request, and a hash over the rows so that altering them later shows."""
        texts = mode_texts(self.connection, {row.mode_id for row in (*close, *(row for row, _ in new))})
        added = [(row.uuid, piece, texts[row.mode_id]) for row, piece in new]
        return {
            "collection": self.collection,
            "begin_ns": span.begin_ns,
            "end_ns": span.end_ns,
            "added": len(new),
            "closed": len(close),
            "rows_sha256": rows_sha256(added, [(row.uuid, row.span, texts[row.mode_id]) for row in close]),
        }

    def _planned(self, new: Iterable[tuple[Slot, Timespan]]) -> tuple[ValidityRow, ...]:
        """Return rows as they would be added."""
        rows = list(new)
        known = refs_by_row(self.connection, [row.dataset_id for row, _ in rows])
        return tuple(
            ValidityRow(None, self.collection, ref.type, ref.data_id, ref.id, ref.run, ref.status, piece, None)
            for ref, piece in ((known[row.dataset_id], piece) for row, piece in rows)
        )


def _overlap(
    connection: Connection,
    collection: str,
    refs: Sequence[DatasetRef],
    span: Timespan,
    clashes: Sequence[Slot],
    *,
    mode: str,
) -> ValidityOverlap:
    """Make the error that lists every row in the way, what is free, and the commands for either way out."""
    rows = _described(connection, clashes)
    what = f"{len(rows)} calibrations are already valid within {spell_span(span)} in {collection}"
    message = f"{what} (mode {mode}); nothing was certified:\n{listed(spell_rows(rows))}"
    free = free_pieces(span, [row.span for row in rows])
    message += "\nfree for all of these calibrations: " + (", ".join(map(spell_span, free)) or "nothing of that range")
    ways = ["--mode fill-gaps (only where nothing is)"] if free else []
    ways.append("--mode replace (closes what is there, keeping what sticks out)")
    command = certify_command(refs, span, collection, "fill-gaps" if free else "replace")
    fix = f"{command}\n  {' or '.join(ways)}; with --dry-run it only says what it would do"
    return ValidityOverlap(message, conflicts=rows, fix=fix)


def _described(connection: Connection, rows: Iterable[Slot]) -> tuple[ValidityRow, ...]:
    """Return validity rows with all that people want to know about them."""
    ids = sorted({row.validity_id for row in rows})
    return tuple(
        row for some in chunks(ids) for row in load_validity(connection, among(connection, t.calib_validity.c.id, some))
    )
