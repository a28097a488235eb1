"""Why a calibration matches, or does not: every criterion by itself, for every dataset that might have been meant.

The resolver answers only "which one"; this module answers "why not that one" and so serves both the report on a night
and `explain`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, case, select

from registry.refs import DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.collections import FlatCollection
from registry.sql.datasets import dataset_rows, load_refs
from registry.sql.events import until_ns
from registry.sql.notes import marks_of
from registry.sql.raw_modes import raw_modes, spell_modes
from registry.sql.remembered import counts
from registry.sql.validity_rows import Stamp, ValidityRow, load_validity, visible
from registry.timespan import ALL_TIME, Timespan


@dataclass(frozen=True, slots=True)
class Candidate:
    """A calibration that might have been used.

    Certified (`row`), in a run or tag of the path, or merely there (no `collection`).
    """

    ref: DatasetRef
    collection: str | None
    span: Timespan
    row: ValidityRow | None = None
    marks: tuple[str, ...] = ()
    """What it was marked, by whom and why, at the event asked about."""
    modes: tuple[str, ...] = ()
    """The readout modes it was made in, as JSON, if its type is matched by mode."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: an instant, filter and mode if the type has them, a path, a moment of the registry's clock."""

    mid_ns: int
    filter_name: str | None
    path: Sequence[str]
    as_of: int | None
    mode: str | None = None
    """The readout mode as JSON; None if the type is not matched by mode."""


Criterion = Callable[[Candidate, Wanted], str | None]


def _filter(candidate: Candidate, wanted: Wanted) -> str | None:
    have = candidate.ref.data_id.physical_filter
    if have == wanted.filter_name:
        return None
    return f"it is for filter {have or 'none'}, the exposure was taken with {wanted.filter_name or 'none'}"


def _mode(candidate: Candidate, wanted: Wanted) -> str | None:
    if wanted.mode is None or candidate.modes == (wanted.mode or "none",):
        return None
    have = " and ".join(candidate.modes)
    made = f"it was made in readout mode {have}" if have else "nobody knows the readout mode it was made in"
    return f"{made}, the exposure was taken in {wanted.mode or 'none'}"


def _is_certified(candidate: Candidate, _wanted: Wanted) -> str | None:
    return "it is not certified in any collection" if candidate.collection is None else None


def _in_path(candidate: Candidate, wanted: Wanted) -> str | None:
    if candidate.collection is None or candidate.collection in wanted.path:
        return None
    return f"it is in collection {candidate.collection}, which is not searched"


def _covers(candidate: Candidate, wanted: Wanted) -> str | None:
    if candidate.span.contains(wanted.mid_ns):
        return None
    return "its validity " + ("begins later" if wanted.mid_ns < candidate.span.begin_ns else "has ended before")


def _certified_by_then(candidate: Candidate, wanted: Wanted) -> str | None:
    row = candidate.row
    if row is None or row.certified is None or wanted.as_of is None or row.certified.seq <= wanted.as_of:
        return None
    return f"it was certified only {row.certified}"


def _not_revoked(candidate: Candidate, wanted: Wanted) -> str | None:
    row = candidate.row
    if row is None or row.revoked is None or (wanted.as_of is not None and wanted.as_of < row.revoked.seq):
        return None
    return f"it was revoked {row.revoked}"


def _unmarked(candidate: Candidate, _wanted: Wanted) -> str | None:
    return f"it was marked {'; '.join(candidate.marks)}" if candidate.marks else None


def _live(candidate: Candidate, wanted: Wanted) -> str | None:
    standing = candidate.ref.status == "LIVE" if wanted.as_of is None else candidate.ref.status != "STAGED"
    return None if standing else f"its dataset is {candidate.ref.status}"


CRITERIA: dict[str, Criterion] = {
    "FILTER_MISMATCH": _filter,
    "MODE_MISMATCH": _mode,
    "NEVER_CERTIFIED": _is_certified,
    "COLLECTION_NOT_IN_PATH": _in_path,
    "GAP": _covers,
    "NOT_YET_CERTIFIED": _certified_by_then,
    "REVOKED": _not_revoked,
    "MARKED": _unmarked,
    "NOT_LIVE": _live,
}
"""All must be fulfilled.

A candidate that fails only a late one is nearer to a match than one that fails an early one.
"""


def failures(candidate: Candidate, wanted: Wanted) -> dict[str, str]:
    """Return the criteria that a candidate fails, each with the reason in words; empty if it matches."""
    told = {name: criterion(candidate, wanted) for name, criterion in CRITERIA.items()}
    return {name: why for name, why in told.items() if why is not None}


def nearness(candidate: Candidate, wanted: Wanted) -> tuple[int, int, int, int]:
    """Return a key that sorts the candidates from the match, or the nearest to one, to the most remote."""
    failed = list(failures(candidate, wanted))
    first = -list(CRITERIA).index(failed[0]) if failed else 0
    path = list(wanted.path)
    home = candidate.collection
    place = path.index(home) if home is not None and home in path else len(path)
    newest = -candidate.row.revoked.seq if candidate.row is not None and candidate.row.revoked is not None else 0
    return (len(failed), first, distance_ns(candidate.span, wanted.mid_ns) if "GAP" in failed else place, newest)


def distance_ns(span: Timespan, instant_ns: int) -> int:
    """Return how far an instant is from a range: from its begin, or from the end that it does not include."""
    return max(span.begin_ns - instant_ns, instant_ns - span.end_ns, 0)


@dataclass(frozen=True, slots=True)
class CandidateScope:
    """Which calibrations to consider: of a type, on some detectors of an instrument.

    `window`, if given, limits certified ones to those valid in it and, of each kind of row, the last before and the
    first after.
    """

    type_id: int
    instrument_id: int
    detector_ids: Sequence[int]
    window: Timespan | None = None
    as_of: int | None = None
    matches_mode: bool = False


def load_candidates(connection: Connection, scope: CandidateScope, path: Sequence[FlatCollection]) -> list[Candidate]:
    """Return all calibrations of a scope: any filter, any collection, any time, revoked or not, certified or not."""
    certified = [Candidate(_ref(row), row.collection, row.span, row) for row in _validity(connection, scope)]
    members = [Candidate(ref, home, ALL_TIME) for ref, home in _members(connection, scope, path)]
    in_path = {candidate.ref.id for candidate in members}
    loose = [Candidate(ref, None, ALL_TIME) for ref in _uncertified(connection, scope) if ref.id not in in_path]
    return _with_modes(connection, _with_marks(connection, certified + members + loose, scope.as_of), scope)


def _with_marks(connection: Connection, candidates: Sequence[Candidate], as_of: int | None) -> list[Candidate]:
    """Return candidates with the marks that their datasets have."""
    refs = {candidate.ref.id: candidate.ref for candidate in candidates}
    told: defaultdict[UUID, list[str]] = defaultdict(list)
    for one in marks_of(connection, list(refs.values()), as_of=as_of) if refs else ():
        told[one.ref.id].append(f"{one.kind} {Stamp(one.added_at, one.at_ns, one.actor, one.reason)}")
    return [replace(one, marks=tuple(told[one.ref.id])) if one.ref.id in told else one for one in candidates]


def _with_modes(connection: Connection, candidates: list[Candidate], scope: CandidateScope) -> list[Candidate]:
    """Return candidates with the readout modes that they serve, or were made in."""
    if not scope.matches_mode:
        return candidates
    rows = dataset_rows(connection, [one.ref.id for one in candidates if one.row is None])
    modes = raw_modes(connection, rows.values())
    spelled = {many: tuple(spell_modes(connection, many)) for many in set(modes.values())}
    return [
        replace(one, modes=(one.row.mode or "none",) if one.row is not None else spelled[modes[rows[one.ref.id]]])
        for one in candidates
    ]


def _validity(connection: Connection, scope: CandidateScope) -> list[ValidityRow]:
    """Return the validity rows of a scope."""
    v = t.calib_validity.c
    here = [v.type_id == scope.type_id, v.instrument_id == scope.instrument_id, v.detector_id.in_(scope.detector_ids)]
    if scope.window is None:
        return load_validity(connection, *here)
    within = load_validity(connection, *here, v.begin_ns < scope.window.end_ns, v.end_ns > scope.window.begin_ns)
    ids = _nearest_outside(connection, here, scope.window, scope.as_of)
    beyond = [row for some in chunks(ids) for row in load_validity(connection, v.id.in_(some))]
    return within + beyond


def _nearest_outside(
    connection: Connection, here: Sequence[ColumnElement[bool]], window: Timespan, as_of: int | None
) -> list[int]:
    """Return the last row before and the first after a window, for each key, collection, and whether it counts."""
    v = t.calib_validity.c
    counting = case((visible(as_of), 1), else_=0)
    key = (v.detector_id, v.filter_id, v.mode_id, v.collection_id, counting)
    query = select(*key, v.id, v.begin_ns, v.end_ns).where(*here)
    before = query.where(v.end_ns <= window.begin_ns).order_by(v.end_ns, v.id)
    after = query.where(v.begin_ns >= window.end_ns).order_by(v.begin_ns.desc(), v.id)
    last = {tuple(row[: len(key)]): row.id for row in connection.execute(before)}
    first = {tuple(row[: len(key)]): row.id for row in connection.execute(after)}
    return [*last.values(), *first.values()]


def _members(
    connection: Connection, scope: CandidateScope, path: Sequence[FlatCollection]
) -> Iterator[tuple[DatasetRef, str]]:
    """Yield the calibrations of a scope in the RUN and TAGGED collections of a path."""
    d, g = t.dataset.c, t.dataset_tag.c
    there = [*_datasets(scope), d.status != "STAGED", *_made_by_then(connection, scope.as_of)]
    for collection in path:
        if collection.kind == "RUN":
            where = d.run_id == collection.id
        elif collection.kind == "TAGGED":
            where = d.id.in_(
                select(g.dataset_id).where(
                    g.collection_id == collection.id, g.type_id == scope.type_id, counts(t.dataset_tag, scope.as_of)
                )
            )
        else:
            continue
        for ref in load_refs(connection, *there, where):
            yield ref, collection.name


def _uncertified(connection: Connection, scope: CandidateScope) -> list[DatasetRef]:
    """Return the live calibrations of a scope that were never certified anywhere."""
    d, v = t.dataset.c, t.calib_validity.c
    certified = select(v.id).where(v.dataset_id == d.id).exists()
    made = _made_by_then(connection, scope.as_of)
    return load_refs(connection, *_datasets(scope), d.status == "LIVE", *made, ~certified)


def _made_by_then(connection: Connection, as_of: int | None) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a dataset was made by an event."""
    return () if as_of is None else (t.dataset.c.created_ns < until_ns(connection, as_of),)


def _datasets(scope: CandidateScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on datasets that make a scope; what belongs to one exposure serves no other."""
    d = t.dataset.c
    kind = (d.type_id == scope.type_id, d.exposure_id == t.NOT_APPLICABLE)
    return *kind, d.instrument_id == scope.instrument_id, d.detector_id.in_(scope.detector_ids)


def _ref(row: ValidityRow) -> DatasetRef:
    """Return the dataset of a validity row, without its file."""
    return DatasetRef(row.dataset, row.type, row.run, row.data_id, status=row.dataset_status)
