"""Headers put right: which card of which raw says something else than its file does, from one event to another.

What an exposure is known by changes in the same transaction; what it was before is in the event.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, select

from registry.canonical import canonical_json
from registry.dimensions import ExposureRecord
from registry.errors import ConflictError, UserError, listed
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.events import append_event, refuse_future
from registry.sql.exposures import update_exposures
from registry.sql.made_of import Made, made_of
from registry.sql.noted_targets import Place, places, spell, spelled, target_from_row, with_place
from registry.sql.remembered import counts, is_any, take_back
from registry.times import format_time

CardValue = str | int | float | bool | None
"""What a card says; None: it is taken away."""
Change = tuple[ExposureRecord, ExposureRecord]
"""An exposure as it is registered, and as its corrected headers say."""


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A corrected card: of what (all detectors if the data id names none), and who said so when (TAI ns) and why."""

    data_id: DataId
    keyword: str
    value: CardValue
    actor: str
    at_ns: int
    reason: str
    added_at: int
    removed_at: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.data_id.to_dict(),
            "keyword": self.keyword,
            "value": self.value,
            "is_taken_away": self.value is None,
            "actor": self.actor,
            "at": format_time(self.at_ns),
            "reason": self.reason,
            "added_at": self.added_at,
            "removed_at": self.removed_at,
        }


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction, or its restoration, did; `seq` is the event, None if nothing had to be done."""

    seq: int | None
    changed: tuple[DataId, ...]
    unchanged: tuple[DataId, ...]
    made: tuple[Made, ...] = ()
    """What was published before, made with the headers as they were."""


def correct_headers(
    connection: Connection,
    targets: Iterable[DataId],
    keyword: str,
    value: CardValue,
    *,
    changes: Sequence[Change] = (),
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> Corrected:
    """Let a card say something else, all targets or none; the last word counts, detector by detector.

    Parameters
    ----------
    connection
        A write transaction; one that reads is enough for a dry run.
    targets
        Exposures, on a detector each or, where none is named, on all (corrections of single ones end then).
    keyword, value
        The card, and what it is to say; None takes it away.
    changes
        The exposures whose properties follow from the card: as they are, and as they shall be.
    actor, reason
        For the event; a reason must be given.
    dry_run
        Only say what would change.

    Raises
    ------
    UserError
        If there is no target or no reason.
    UnknownName
        If exposures or detectors are not registered, or a new filter is not; all are listed, and nothing changes.
    ConflictError
        If an exposure is not registered as `changes` says it is.
    """
    wanted = _checked(connection, targets, keyword, reason)
    open_ = _open_rows(connection, wanted.values(), keyword)
    effective = {place: _effective(open_, place) for place in wanted.values()}
    new = {one: at for one, at in wanted.items() if effective[at] != {canonical_json([value])}}
    old = tuple(one for one in wanted if one not in new)
    made = tuple(made_of(connection, new.values(), lambda cards: keyword not in cards or cards[keyword] != value))
    if not new or dry_run:
        return Corrected(None, tuple(new), old, made)
    payload = {"keyword": keyword, "value": value, "is_taken_away": value is None} | _told(new, changes)
    seq = append_event(connection, "header-correct", actor=actor, reason=reason, payload=payload)
    take_back(connection, t.header_correction, [open_[place][0] for place in _replaced(open_, new.values())], seq)
    stored = None if value is None else canonical_json(value)
    rows = [
        {"exposure_id": e, "detector_id": d, "keyword": keyword, "value": stored, "added_at": seq}
        for e, d in new.values()
    ]
    insert_rows(connection, t.header_correction, rows)
    update_exposures(connection, changes)
    return Corrected(seq, tuple(new), old, made)


def restore_headers(
    connection: Connection,
    targets: Iterable[DataId],
    keyword: str,
    *,
    changes: Sequence[Change] = (),
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> Corrected:
    """Let a card say again what the file says; for parameters and refusals see `correct_headers`.

    Raises
    ------
    ConflictError
        If a detector shall be restored of an exposure that was corrected on all; all are listed.
    """
    wanted = _checked(connection, targets, keyword, reason)
    open_ = _open_rows(connection, wanted.values(), keyword)
    _refuse_parts(wanted, open_)
    closing = {one: _replaced(open_, [at]) for one, at in wanted.items()}
    old = tuple(one for one, found in closing.items() if found)
    bare = tuple(one for one, found in closing.items() if not found)
    made = tuple(made_of(connection, [wanted[one] for one in old], lambda cards: keyword in cards))
    if not old or dry_run:
        return Corrected(None, old, bare, made)
    payload = {"keyword": keyword} | _told(old, changes)
    seq = append_event(connection, "header-restore", actor=actor, reason=reason, payload=payload)
    take_back(connection, t.header_correction, [open_[place][0] for found in closing.values() for place in found], seq)
    update_exposures(connection, changes)
    return Corrected(seq, old, bare, made)


def corrections_of(
    connection: Connection, targets: Iterable[DataId], as_of: int | None = None
) -> dict[DataId, dict[str, CardValue]]:
    """Return the corrected cards of raws by keyword; those of the detector go before those of all detectors."""
    if not is_any(connection, t.header_correction, as_of):
        return {}
    at = places(connection, targets)
    rows: defaultdict[Place, dict[str, CardValue]] = defaultdict(dict)
    h = t.header_correction.c
    for some in chunks(sorted({place[0] for place in at.values()})):
        query = select(h.exposure_id, h.detector_id, h.keyword, h.value).where(
            h.exposure_id.in_(some), counts(t.header_correction, as_of)
        )
        for row in connection.execute(query.order_by(h.keyword)):
            rows[row.exposure_id, row.detector_id][row.keyword] = _value(row.value)
    found = {
        target: {**rows.get((exposure, t.NOT_APPLICABLE), {}), **rows.get((exposure, detector), {})}
        for target, (exposure, detector) in at.items()
    }
    return {target: dict(sorted(cards.items())) for target, cards in found.items() if cards}


def correction_rows(
    connection: Connection, *, keyword: str | None = None, as_of: int | None = None, history: bool = False
) -> list[CorrectionRow]:
    """Return all corrections, by exposure and detector; `history`: also those taken back or replaced."""
    refuse_future(connection, as_of)
    h = t.header_correction.c
    query = _select()
    if not history:
        query = query.where(counts(t.header_correction, as_of))
    if keyword is not None:
        query = query.where(h.keyword == keyword)
    query = query.order_by(t.instrument.c.name, t.exposure.c.number, t.detector.c.number, h.id)
    return [_row(row) for row in connection.execute(query)]


def _checked(connection: Connection, targets: Iterable[DataId], keyword: str, reason: str) -> dict[DataId, Place]:
    if not keyword or keyword != keyword.upper().strip() or not keyword.isprintable():
        raise UserError(f"{keyword!r} is not the keyword of a card")
    if not reason.strip():
        raise UserError(f"a correction of {keyword} wants a reason: it overrules the camera", fix='--reason "..."')
    found = places(connection, targets)
    if not found:
        raise UserError("there is nothing to correct: no exposure was named", fix="isrflow query exposures")
    return found


def _open_rows(connection: Connection, at: Iterable[Place], keyword: str) -> dict[Place, tuple[int, str]]:
    """Return row and spelled value of the corrections of a card that count for these exposures, on any detector."""
    h = t.header_correction.c
    found: dict[Place, tuple[int, str]] = {}
    for some in chunks(sorted({place[0] for place in at})):
        query = select(h.exposure_id, h.detector_id, h.id, h.value).where(
            h.exposure_id.in_(some), h.keyword == keyword, counts(t.header_correction, None)
        )
        for row in connection.execute(query):
            found[row.exposure_id, row.detector_id] = (row.id, canonical_json([_value(row.value)]))
    return found


def _effective(open_: Mapping[Place, tuple[int, str]], place: Place) -> set[str]:
    """Return what the card says there by corrections; several things if detectors differ, nothing if there is none."""
    exposure, detector = place
    whole = open_.get((exposure, t.NOT_APPLICABLE))
    if detector == t.NOT_APPLICABLE:
        said = {spelled for (e, _), (_, spelled) in open_.items() if e == exposure}
        return said if whole is not None else said | {""}
    own = open_.get(place, whole)
    return set() if own is None else {own[1]}


def _replaced(open_: Mapping[Place, tuple[int, str]], at: Iterable[Place]) -> list[Place]:
    """Return the places of corrections that end when there are others at these places."""
    wanted = set(at)
    whole = {exposure for exposure, detector in wanted if detector == t.NOT_APPLICABLE}
    return [place for place in open_ if place in wanted or place[0] in whole]


def _refuse_parts(wanted: Mapping[DataId, Place], open_: Mapping[Place, tuple[int, str]]) -> None:
    """Refuse to restore one detector of what was corrected on all: the others would be left in doubt."""
    parts = [
        one
        for one, at in wanted.items()
        if at[1] != t.NOT_APPLICABLE and at not in open_ and (at[0], t.NOT_APPLICABLE) in open_
    ]
    if parts:
        message = f"corrected on all detectors, so one cannot be restored; nothing was done:\n{listed([spell(parts)])}"
        fix = "restore the whole exposure, and correct the detectors that are to stay corrected"
        raise ConflictError(message, conflicts=parts, fix=fix)


def _told(targets: Iterable[DataId], changes: Sequence[Change]) -> dict[str, Any]:
    """Return what the event holds of a change: where, and what exposures were and are."""
    told = [
        {"instrument": old.instrument, "exposure": old.id, "old": was, "new": now}
        for old, new in changes
        for was, now in [_differing(old, new)]
    ]
    return {"targets": spelled(targets), "exposures": told}


def _differing(old: ExposureRecord, new: ExposureRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [item.name for item in fields(ExposureRecord) if getattr(old, item.name) != getattr(new, item.name)]
    return {name: getattr(old, name) for name in names}, {name: getattr(new, name) for name in names}


def _select() -> Select[Any]:
    h, e = t.header_correction.c, t.registry_event.c
    query = select(h.keyword, h.value, h.added_at, h.removed_at, e.actor, e.at_ns, e.reason).join_from(
        t.header_correction, t.registry_event, h.added_at == e.seq
    )
    return with_place(query, h.exposure_id, h.detector_id)


def _row(row: Any) -> CorrectionRow:
    removed = None if row.removed_at == t.OPEN_ENDED else row.removed_at
    said = (row.keyword, _value(row.value), row.actor, row.at_ns, row.reason, row.added_at)
    return CorrectionRow(target_from_row(row), *said, removed)


def _value(text: str | None) -> CardValue:
    value: CardValue = None if text is None else json.loads(text)
    return value
