"""Finding the calibrations of many exposures at once.

A calibration matches an exposure if it is of the type, has the exposure's instrument and those of detector, filter and
readout mode that the type declares, and is valid at the exposure's *mid-instant*. A row counts if it was certified, and
not yet revoked, at the event asked about (now, unless said), and if its dataset is there and unmarked. The first
collection of the path that has such a row decides; RUN and TAGGED collections hold calibrations valid at any time.
There are no wildcards.

Where nothing is valid, the policy of the type decides (`registry.refs.Policy`): under ``nearest`` the first collection
of the path that has one within the gap gives the one nearest to mid-exposure; of two equally far the one that is over.

As of an event, chains, tags, marks and policies are those of then, and a dataset that was made by then counts, even if
its file is gone today: the match says so.

What is not found is diagnosed, not raised: all of it at once, each with its reason. The number of queries does not
depend on the number of exposures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from registry.errors import did_you_mean
from registry.refs import DataId, Match, MatchKind, Policy
from registry.resolution import Missing, Resolution, Straddle
from registry.sql.collections import FlatCollection
from registry.sql.dataset_types import TypeRow, dataset_types
from registry.sql.datasets import refs_by_row
from registry.sql.diagnosis import Diagnosis
from registry.sql.events import newest_seq
from registry.sql.searching import Hit, Scope, SearchIndex
from registry.sql.standpoint import Standpoint, standpoint
from registry.sql.targets import Target, load_targets
from registry.times import format_duration
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan

if TYPE_CHECKING:
    from registry.sql.supposed import Supposition

_Found = dict[tuple[DataId, str], tuple[Hit, Hit | None, bool]]
"""The hit at mid-instant, the other one of a straddle, and whether there is a straddle."""
_Near = dict[tuple[DataId, str], tuple[Hit, int]]
"""The nearest hit where nothing is valid, and how far it is from mid-instant."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, in the registry's terms; `types` are those that are registered."""

    connection: Connection
    targets: Mapping[DataId, Target]
    types: Mapping[str, TypeRow]
    stand: Standpoint
    suppose: Supposition | None

    @property
    def path(self) -> Sequence[FlatCollection]:
        """Where to look."""
        return self.stand.path


def resolve(
    connection: Connection,
    data_ids: Sequence[DataId],
    types: Mapping[str, bool],
    collections: Sequence[str] = (),
    *,
    as_of: int | None = None,
    policies: Mapping[str, Policy] | None = None,
    context: str | None = None,
    suppose: Supposition | None = None,
) -> Resolution:
    """Find the calibrations of many data ids.

    Parameters
    ----------
    connection
        An open transaction.
    data_ids
        Exposures on detectors.
    types
        The dataset types wanted, each with whether the recipe requires it. What the recipe requires and does not find
        is dealt with as the type's policy says; what it does not require is never more than mentioned.
    collections
        Where to search, in order; chains are opened.
    as_of
        Number of the event at which to look at the registry; None is now. (`events.seq_of` gives it for a time.)
    policies
        What to do where a type is missing, by type, for this call; those of the repository else.
    context
        Name of a frozen context, instead of `collections`, `as_of` and `policies`.
    suppose
        A change of the registry that is not made, but answered as if it were.

    Raises
    ------
    UnknownName
        If a collection, an exposure, a detector or the context is not registered; all are listed.
    UserError
        If event `as_of` has not happened yet, or a context is given and something that it fixes, too.
    """
    stand = standpoint(connection, collections, as_of=as_of, policies=policies, context=context)
    known = dataset_types(connection)
    targets = load_targets(connection, list(dict.fromkeys(data_ids)))
    registered = {name: known[name] for name in types if name in known}
    question = _Question(connection, targets, registered, stand, suppose)
    matches, straddles = _answer(question)
    missing = [
        one
        for name, required in types.items()
        for one in (
            _diagnosed(question, name, required, matches)
            if name in known
            else _unknown(question, name, required, known)
        )
    ]
    seq = newest_seq(connection) if stand.as_of is None else stand.as_of
    path = [collection.name for collection in question.path]
    policies_used = {name: stand.policy(name) for name in types}
    return Resolution(matches, missing, straddles, path, seq, policies_used, stand.context)


def match_of(connection: Connection, target: Target, row: TypeRow, stand: Standpoint) -> Match | None:
    """Find one calibration of one target; why there is none is not asked."""
    matches, _ = _answer(_Question(connection, {target.data_id: target}, {row.type.name: row}, stand, None))
    return matches[target.data_id].get(row.type.name)


def _answer(question: _Question) -> tuple[dict[DataId, dict[str, Match]], list[Straddle]]:
    """Find what is valid, and where nothing is what a policy takes instead."""
    found = _search(question)
    return _matches(question, found, _search_near(question, found))


def _search(question: _Question) -> _Found:
    """Look up every data id and type; what is not found is left out."""
    targets, types = question.targets, question.types
    found: _Found = {}
    if not (targets and types and question.path):
        return found
    begin = min(target.begin_ns for target in targets.values())
    end = max(target.end_ns for target in targets.values())
    index = _index(question, types, Timespan(begin, end + 1))
    for name, row in types.items():
        for data_id, target in targets.items():
            key = (row.id, target.instrument_id, *target.key(row.type))
            hit = index.at(key, target.mid_ns)
            if hit is not None:
                found[data_id, name] = (hit, *_straddle(index, key, target, hit))
    return found


def _search_near(question: _Question, found: _Found) -> _Near:
    """Look up the nearest of what was not found and may be replaced by it; one more search for all of them."""
    gaps = {name: question.stand.policy(name).max_gap_ns for name in question.types}
    lacking = [
        (data_id, name, gap)
        for name, gap in gaps.items()
        if gap is not None
        for data_id in question.targets
        if (data_id, name) not in found
    ]
    if not (lacking and question.path):
        return {}
    widest = max(gap for _, _, gap in lacking)
    instants = [question.targets[data_id].mid_ns for data_id, _, _ in lacking]
    begin, end = min(instants) - widest - 1, max(instants) + widest + 1
    window = Timespan(max(begin, BEGINNING_NS), min(end, FOREVER_NS))
    index = _index(question, {name: question.types[name] for _, name, _ in lacking}, window)
    near: _Near = {}
    for data_id, name, gap in lacking:
        target, row = question.targets[data_id], question.types[name]
        key = (row.id, target.instrument_id, *target.key(row.type))
        hit = index.nearest(key, target.mid_ns, gap)
        if hit is not None:
            near[data_id, name] = hit
    return near


def _index(question: _Question, types: Mapping[str, TypeRow], window: Timespan) -> SearchIndex:
    """Fetch what may serve the targets within a window."""
    instruments = sorted({target.instrument_id for target in question.targets.values()})
    by_mode = frozenset(row.id for row in types.values() if row.type.matches_mode)
    ids = [row.id for row in types.values()]
    scope = Scope(ids, instruments, window, question.stand.as_of, by_mode, question.suppose)
    return SearchIndex(question.connection, question.path, scope)


def _straddle(
    index: SearchIndex, key: tuple[int, int, int, int, int], target: Target, hit: Hit
) -> tuple[Hit | None, bool]:
    """Return what another instant of the exposure would have given, if that is another dataset or none."""
    if hit.rank == 0 and hit.begin_ns <= target.begin_ns and target.end_ns <= hit.end_ns:
        return None, False
    for instant in (target.begin_ns, max(target.begin_ns, target.end_ns - 1)):
        other = index.at(key, instant)
        if other is None or other.dataset_id != hit.dataset_id:
            return other, True
    return None, False


def _matches(question: _Question, found: _Found, near: _Near) -> tuple[dict[DataId, dict[str, Match]], list[Straddle]]:
    """Turn hits into matches; equal ones are one object."""
    rows = {hit.dataset_id for pair in found.values() for hit in pair[:2] if hit is not None}
    refs = refs_by_row(question.connection, rows | {hit.dataset_id for hit, _ in near.values()})
    plain: dict[Hit, Match] = {}

    def match(hit: Hit) -> Match:
        if hit not in plain:
            ref = refs[hit.dataset_id]
            gone = _gone(ref.status, question.stand.as_of)
            kind: MatchKind = "always" if hit.validity_id is None else "valid"
            plain[hit] = Match(ref, hit.validity_id, question.path[hit.rank].name, gone, kind)
        return plain[hit]

    matches: dict[DataId, dict[str, Match]] = {data_id: {} for data_id in question.targets}
    straddles = []
    for (data_id, name), (hit, other, straddling) in found.items():
        chosen = match(hit)
        if straddling:
            warning = f"STRADDLE: a validity edge lies inside the exposure; {chosen.ref.short} is valid at its middle, "
            warning += f"{match(other).ref.short if other else 'nothing'} at its begin or end"
            chosen = _warned(chosen, warning)
            straddles.append(Straddle(name, data_id, chosen, match(other) if other else None))
        matches[data_id][name] = chosen
    far: dict[tuple[Hit, int], Match] = {}
    for (data_id, name), (hit, gap) in near.items():
        if (hit, gap) not in far:
            warning = f"NEAREST: none is valid at mid-exposure; {match(hit).ref.short} is the nearest, "
            warning += f"{format_duration(gap)} away (policy {question.stand.policy(name)})"
            far[hit, gap] = replace(_warned(match(hit), warning), kind="nearest", gap_ns=gap)
        matches[data_id][name] = far[hit, gap]
    return matches, straddles


def _gone(status: str, as_of: int | None) -> str | None:
    """Return the warning that a dataset was there at the event asked about, but is not any more."""
    if status == "LIVE":
        return None
    return f"GONE: it was there as of event {as_of}, but is {status} now; restore its file, or ask as of now"


def _warned(match: Match, warning: str) -> Match:
    """Return a match with one more warning."""
    return replace(match, warning="; ".join(filter(None, (match.warning, warning))))


def _diagnosed(
    question: _Question, name: str, required: bool, matches: Mapping[DataId, Mapping[str, Match]]
) -> Iterator[Missing]:
    """Say why each data id lacks a calibration of a registered type."""
    lacking = {data_id: target for data_id, target in question.targets.items() if name not in matches[data_id]}
    if not lacking:
        return
    policy = question.stand.policy(name)
    beyond = "" if policy.max_gap_ns is None else f", nor any within {format_duration(policy.max_gap_ns)} of it"
    stand, without = question.stand, frozenset(question.suppose.without if question.suppose else ())
    diagnosis = Diagnosis(question.connection, question.types[name], lacking.values(), stand, without)
    for data_id, target in lacking.items():
        it = diagnosis.of(target)
        yield Missing(
            name,
            data_id,
            it.reason,
            it.detail + beyond,
            it.before,
            it.after,
            required and policy.on_missing != "optional",
            target.day_obs,
            it.uncertified_run,
            policy if required else Policy(),
        )


def _unknown(question: _Question, name: str, required: bool, known: Mapping[str, TypeRow]) -> Iterator[Missing]:
    """Say of every data id that there is no such type."""
    detail = f"no dataset type '{name}' is registered{did_you_mean(name, list(known))}"
    for data_id, target in question.targets.items():
        yield Missing(name, data_id, "TYPE_UNKNOWN", detail, required=required, day_obs=target.day_obs)
