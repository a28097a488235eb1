"""Quality flags of exposures: bad or suspect, on one detector or all, from one event to another.

Nothing is made of what is flagged bad; what is suspect is used, and the product says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, select

from registry.errors import ConflictError, UserError, listed
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.bulk import chunks, insert_rows
from registry.sql.events import append_event, refuse_future
from registry.sql.noted_targets import Place, places, spell, spelled, target_from_row, with_place
from registry.sql.remembered import counts, is_any, take_back
from registry.times import format_time

FlagKind = Literal["bad", "suspect"]


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A flag: of what (all detectors if the data id names none), and who set it when (TAI ns) and why."""

    data_id: DataId
    flag: FlagKind
    actor: str
    at_ns: int
    reason: str
    added_at: int
    removed_at: int | None = None

    def render(self) -> str:
        """Say who flagged it, when and why."""
        when = format_time(self.at_ns)[:19]
        why = " ".join(self.reason.split())
        return f"flagged {self.flag} by {self.actor} on {when} UTC (event {self.added_at}): {why}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.data_id.to_dict(),
            "flag": self.flag,
            "actor": self.actor,
            "at": format_time(self.at_ns),
            "reason": self.reason,
            "added_at": self.added_at,
            "removed_at": self.removed_at,
        }


@dataclass(frozen=True, slots=True)
class Flagged:
    """What setting or clearing flags did; `seq` is the event, None if nothing had to be done."""

    seq: int | None
    changed: tuple[DataId, ...]
    unchanged: tuple[DataId, ...]


def set_flag(
    connection: Connection, targets: Iterable[DataId], flag: FlagKind, *, actor: str, reason: str, dry_run: bool = False
) -> Flagged:
    """Flag exposures, all or none; what has the flag already, itself or with its whole exposure, is left alone.

    Parameters
    ----------
    connection
        A write transaction; one that reads is enough for a dry run.
    targets
        Exposures, on a detector each or, where none is named, on all.
    flag
        ``bad`` or ``suspect``.
    actor, reason
        For the event; a reason must be given.
    dry_run
        Only say what would change.

    Raises
    ------
    UserError
        If there is no such flag, no target or no reason.
    UnknownName
        If exposures or detectors are not registered; all are listed, and nothing is flagged.
    """
    wanted = _checked(connection, targets, flag, reason)
    open_ = _open_flags(connection, wanted.values(), flag)
    new = {one: at for one, at in wanted.items() if at not in open_ and (at[0], t.NOT_APPLICABLE) not in open_}
    old = tuple(one for one in wanted if one not in new)
    if not new or dry_run:
        return Flagged(None, tuple(new), old)
    payload = {"flag": flag, "targets": spelled(new)}
    seq = append_event(connection, "flag", actor=actor, reason=reason, payload=payload)
    rows = [{"exposure_id": e, "detector_id": d, "flag": flag, "added_at": seq} for e, d in new.values()]
    insert_rows(connection, t.quality_flag, rows)
    return Flagged(seq, tuple(new), old)


def clear_flag(
    connection: Connection, targets: Iterable[DataId], flag: FlagKind, *, actor: str, reason: str, dry_run: bool = False
) -> Flagged:
    """Take flags back, all or none; an exposure without detector clears those of its detectors too.

    Raises
    ------
    ConflictError
        If a detector shall be cleared whose whole exposure is flagged; all are listed.
    UserError, UnknownName
        As `set_flag` says.
    """
    wanted = _checked(connection, targets, flag, reason)
    open_ = _open_flags(connection, wanted.values(), flag)
    _refuse_parts(wanted, open_)
    of_exposure: defaultdict[int, list[Place]] = defaultdict(list)
    for place in open_:
        of_exposure[place[0]].append(place)
    cleared: dict[DataId, list[Place]] = {
        one: of_exposure[at[0]] if at[1] == t.NOT_APPLICABLE else [at] * (at in open_) for one, at in wanted.items()
    }
    old = tuple(one for one, found in cleared.items() if found)
    bare = tuple(one for one, found in cleared.items() if not found)
    if not old or dry_run:
        return Flagged(None, old, bare)
    payload = {"flag": flag, "targets": spelled(old)}
    seq = append_event(connection, "unflag", actor=actor, reason=reason, payload=payload)
    take_back(connection, t.quality_flag, [open_[place] for found in cleared.values() for place in found], seq)
    return Flagged(seq, old, bare)


def flags_of(
    connection: Connection, targets: Iterable[DataId], as_of: int | None = None
) -> dict[DataId, list[FlagRow]]:
    """Return the flags that hold for targets, the worst first; those of the whole exposure hold for its detectors.

    Parameters
    ----------
    targets
        Exposures, on one detector each; those without flags are not in what is returned.
    as_of
        An event; now if not given.
    """
    if not is_any(connection, t.quality_flag, as_of):
        return {}
    at = places(connection, targets)
    rows: defaultdict[Place, list[FlagRow]] = defaultdict(list)
    for some in chunks(sorted({place[0] for place in at.values()})):
        query = _flag_select().where(t.quality_flag.c.exposure_id.in_(some), counts(t.quality_flag, as_of))
        for row in connection.execute(query):
            rows[row.exposure_id, row.detector_id].append(_flag(row))
    found = {}
    for target, (exposure, detector) in at.items():
        both = {id(row): row for d in (t.NOT_APPLICABLE, detector) for row in rows.get((exposure, d), ())}
        found[target] = sorted(both.values(), key=lambda row: (row.flag, row.added_at))
    return {target: flags for target, flags in found.items() if flags}


def flag_rows(
    connection: Connection, *, flag: FlagKind | None = None, as_of: int | None = None, history: bool = False
) -> list[FlagRow]:
    """Return all flags, by exposure and detector; `history`: also those taken back."""
    refuse_future(connection, as_of)
    query = _flag_select()
    if not history:
        query = query.where(counts(t.quality_flag, as_of))
    if flag is not None:
        query = query.where(t.quality_flag.c.flag == flag)
    query = query.order_by(t.instrument.c.name, t.exposure.c.number, t.detector.c.number, t.quality_flag.c.id)
    return [_flag(row) for row in connection.execute(query)]


def flag_column(
    exposure_id: ColumnElement[int], detector_id: ColumnElement[int] | None = None, as_of: int | None = None
) -> ColumnElement[Any]:
    """Return the SQL of the worst flag that holds for an exposure on a detector; NULL if none does.

    Without a detector the flags of all detectors of the exposure count.
    """
    f = t.quality_flag.c
    query = select(func.min(f.flag)).where(f.exposure_id == exposure_id, counts(t.quality_flag, as_of))  # bad < suspect
    if detector_id is not None:
        query = query.where((f.detector_id == t.NOT_APPLICABLE) | (f.detector_id == detector_id))
    return query.scalar_subquery()


def _checked(connection: Connection, targets: Iterable[DataId], flag: str, reason: str) -> dict[DataId, Place]:
    if flag not in t.QUALITY_FLAGS:
        raise UserError(f"'{flag}' is not a quality flag; there is {', '.join(t.QUALITY_FLAGS)}")
    if not reason.strip():
        raise UserError(f"the flag '{flag}' wants a reason: whoever misses the data will ask", fix='--reason "..."')
    found = places(connection, targets)
    if not found:
        raise UserError("there is nothing to flag: no exposure was named", fix="isrflow query exposures")
    return found


def _open_flags(connection: Connection, at: Iterable[Place], flag: str) -> dict[Place, int]:
    """Return the rows of the flags that hold for these exposures, on any detector."""
    f = t.quality_flag.c
    found: dict[Place, int] = {}
    for some in chunks(sorted({place[0] for place in at})):
        query = select(f.exposure_id, f.detector_id, f.id).where(
            f.exposure_id.in_(some), f.flag == flag, counts(t.quality_flag, None)
        )
        found |= {(row.exposure_id, row.detector_id): row.id for row in connection.execute(query)}
    return found


def _refuse_parts(wanted: dict[DataId, Place], open_: dict[Place, int]) -> None:
    """Refuse to clear one detector of what is flagged as a whole: nobody would know what was meant for the others."""
    parts = [one for one, at in wanted.items() if at[1] != t.NOT_APPLICABLE and (at[0], t.NOT_APPLICABLE) in open_]
    if parts:
        message = f"flagged on all detectors, so one cannot be cleared; nothing was done:\n{listed([spell(parts)])}"
        fix = "clear the whole exposure, and flag the detectors that are to keep the flag"
        raise ConflictError(message, conflicts=parts, fix=fix)


def _flag_select() -> Select[Any]:
    f, e = t.quality_flag.c, t.registry_event.c
    query = select(
        *(f.exposure_id, f.detector_id, f.flag, f.added_at, f.removed_at, e.actor, e.at_ns, e.reason)
    ).join_from(t.quality_flag, t.registry_event, f.added_at == e.seq)
    return with_place(query, f.exposure_id, f.detector_id)


def _flag(row: Any) -> FlagRow:
    removed = None if row.removed_at == t.OPEN_ENDED else row.removed_at
    return FlagRow(target_from_row(row), row.flag, row.actor, row.at_ns, row.reason, row.added_at, removed)
