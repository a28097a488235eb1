"""Certifying and decertifying calibrations.

Nothing is ever deleted: a range is closed by an event, and what is left of it is written anew.

Every change is first worked out as a `CertifyDiff` and then carried out, so a dry run shows exactly what would be done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import Connection, select, update

from registry.errors import ConflictError, UnknownName, UserError, ValidityOverlap, listed
from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks, in_order, insert_rows
from registry.sql.certify_words import certify_command, free_pieces
from registry.sql.collections import collection_id
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import refs_by_row
from registry.sql.events import append_event
from registry.sql.locks import lock_log
from registry.sql.raw_modes import mode_texts, mode_to_certify
from registry.sql.validity_rows import ValidityRow, load_validity, spell_rows
from registry.sql.validity_seal import rows_sha256
from registry.times import spell_span
from registry.timespan import ALL_TIME, Timespan

CertifyMode = Literal["strict", "idempotent", "replace", "fill-gaps"]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A dataset and what it is matched by within a collection; also the range, if it has one already."""

    key: tuple[int, int, int, int]
    """type_id, instrument_id, detector_id, filter_id"""
    dataset_id: int
    uuid: UUID
    status: str = "LIVE"
    validity_id: int = 0
    span: Timespan = ALL_TIME
    mode_id: int = t.NOT_APPLICABLE

    @property
    def place(self) -> tuple[int, ...]:
        """What it is matched by, the readout mode among it."""
        return (*self.key, self.mode_id)


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
    datasets = _with_modes(connection, _certifiable(connection, refs), readout_mode)
    there = _open_rows(connection, home, {row.key[0] for row in datasets}, span)
    new: list[tuple[_Slot, Timespan]] = []
    close: list[_Slot] = []
    unchanged: list[_Slot] = []
    clashes: list[_Slot] = []
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
    datasets = _dataset_rows(connection, refs)
    wanted = {row.dataset_id for row in datasets}
    there = _open_rows(connection, home, {row.key[0] for row in datasets}, span)
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
        self, new: Sequence[tuple[_Slot, Timespan]], close: Sequence[_Slot], unchanged: Sequence[_Slot], span: Timespan
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
            ids = t.calib_validity.c.id.in_(some)
            self.connection.execute(update(t.calib_validity).where(ids).values(revoked_at=seq))
        insert_rows(self.connection, t.calib_validity, [self._values(row, piece, seq) for row, piece in new])
        added = load_validity(self.connection, t.calib_validity.c.certified_at == seq)
        revoked = load_validity(self.connection, t.calib_validity.c.revoked_at == seq)
        return CertifyDiff(tuple(added), tuple(revoked), same, seq, span=span)

    def _values(self, row: _Slot, span: Timespan, seq: int) -> dict[str, Any]:
        """Return the column values of a new validity row."""
        return {
            "collection_id": self.home,
            "mode_id": row.mode_id,
            "begin_ns": span.begin_ns,
            "end_ns": span.end_ns,
            "dataset_id": row.dataset_id,
            "certified_at": seq,
        } | dict(zip(("type_id", "instrument_id", "detector_id", "filter_id"), row.key, strict=True))

    def _payload(self, new: Sequence[tuple[_Slot, Timespan]], close: Sequence[_Slot], span: Timespan) -> dict[str, Any]:
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

    def _planned(self, new: Iterable[tuple[_Slot, Timespan]]) -> tuple[ValidityRow, ...]:
        """Return rows as they would be added."""
        rows = list(new)
        known = refs_by_row(self.connection, [row.dataset_id for row, _ in rows])
        return tuple(
            ValidityRow(None, self.collection, ref.type, ref.data_id, ref.id, ref.run, ref.status, piece, None)
            for ref, piece in ((known[row.dataset_id], piece) for row, piece in rows)
        )


def _certifiable(connection: Connection, refs: Sequence[DatasetRef]) -> list[_Slot]:
    """Return the rows of datasets, refusing all that cannot be certified, all at once."""
    rows = _dataset_rows(connection, refs)
    types = {row.id: row.type for row in dataset_types(connection).values()}
    problems = [f"{_name(types, row)} is {row.status}, not LIVE" for row in rows if row.status != "LIVE"]
    for row in rows:
        kind = types[row.key[0]]
        if not kind.is_calibration:
            problems.append(f"{_name(types, row)} is not a calibration")
        elif "exposure" in kind.dimensions:
            problems.append(f"{_name(types, row)} belongs to one exposure and cannot be valid for others")
    holder: dict[tuple[int, ...], _Slot] = {}
    for row in rows:
        first = holder.setdefault(row.key, row)
        if first is not row:
            problems.append(f"{_name(types, first)} and {_name(types, row)} are the same calibration twice; choose one")
    if problems:
        raise ConflictError(f"nothing was certified:\n{listed(problems)}", conflicts=problems)
    return rows


def _with_modes(connection: Connection, rows: Sequence[_Slot], readout_mode: Mapping[str, Any] | None) -> list[_Slot]:
    """Return rows with the readout mode to be matched by, where their types are."""
    kinds = {row.id: row.type for row in dataset_types(connection).values()}
    by_mode = [row for row in rows if kinds[row.key[0]].matches_mode]
    if readout_mode is not None and len(by_mode) < len(rows):
        names = ", ".join(sorted({kinds[row.key[0]].name for row in rows if row not in by_mode}))
        raise UserError(f"{names} is not matched by readout mode; none can be given", fix="leave --readout-mode out")
    names_of = {row.dataset_id: _name(kinds, row) for row in by_mode}
    if not by_mode:
        return list(rows)
    modes = mode_to_certify(connection, names_of, readout_mode)
    return [replace(row, mode_id=modes.get(row.dataset_id, t.NOT_APPLICABLE)) for row in rows]


def _dataset_rows(connection: Connection, refs: Sequence[DatasetRef]) -> list[_Slot]:
    """Return the rows of datasets, without repetitions, sorted by key so that locks are taken in one order."""
    d = t.dataset.c
    columns = (d.type_id, d.instrument_id, d.detector_id, d.filter_id, d.id, d.uuid, d.status)
    wanted = {ref.id for ref in refs}
    rows = [
        _Slot((row[0], row[1], row[2], row[3]), row.id, row.uuid, row.status)
        for some in chunks(in_order(wanted))
        for row in connection.execute(select(*columns).where(d.uuid.in_(some)))
    ]
    missing = sorted(str(uuid) for uuid in wanted - {row.uuid for row in rows})
    if missing:
        raise UnknownName(f"no such dataset: {', '.join(missing[:20])}", kind="dataset", name=missing[0])
    if not rows:
        raise UserError("no datasets were given", fix="isrflow query datasets")
    return sorted(rows, key=lambda row: (row.key, row.dataset_id))


def _open_rows(
    connection: Connection, home: int, types: set[int], span: Timespan
) -> dict[tuple[int, ...], list[_Slot]]:
    """Return the rows in force that overlap a range, by key and mode, in order of time."""
    v, d = t.calib_validity.c, t.dataset.c
    query = (
        select(v.type_id, v.instrument_id, v.detector_id, v.filter_id, v.dataset_id, d.uuid, d.status, v.id)
        .add_columns(v.begin_ns, v.end_ns, v.mode_id)
        .join(t.dataset, v.dataset_id == d.id)
        .where(v.collection_id == home, v.type_id.in_(sorted(types)), v.revoked_at == t.OPEN_ENDED)
        .where(v.begin_ns < span.end_ns, v.end_ns > span.begin_ns)
        .order_by(v.begin_ns)
    )
    rows: defaultdict[tuple[int, ...], list[_Slot]] = defaultdict(list)
    for row in connection.execute(query):
        span_there = Timespan(row.begin_ns, row.end_ns)
        key = (row[0], row[1], row[2], row[3])
        slot = _Slot(key, row.dataset_id, row.uuid, row.status, row.id, span_there, row.mode_id)
        rows[slot.place].append(slot)
    return dict(rows)


def _overlap(
    connection: Connection,
    collection: str,
    refs: Sequence[DatasetRef],
    span: Timespan,
    clashes: Sequence[_Slot],
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


def _described(connection: Connection, rows: Iterable[_Slot]) -> tuple[ValidityRow, ...]:
    """Return validity rows with all that people want to know about them."""
    ids = sorted({row.validity_id for row in rows})
    return tuple(row for some in chunks(ids) for row in load_validity(connection, t.calib_validity.c.id.in_(some)))


def _name(types: dict[int, Any], row: _Slot) -> str:
    """Name a dataset in a message."""
    return f"{types[row.key[0]].name} {row.uuid.hex[:8]}"
