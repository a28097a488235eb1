"""Finding the calibrations of many exposures at once.

A calibration matches an exposure if it is of the type, has the exposure's instrument and those of detector and filter
that the type declares, and is valid at the exposure's *mid-instant*. A row counts if it was certified, and not yet
revoked, at the event asked about (now, unless said), and if its dataset is live. The first collection of the path
that has such a row decides; RUN and TAGGED collections hold calibrations valid at any time (as of an event: those made
by then; what was tagged later, or is live no more, is not remembered). There are no wildcards.

What is not found is diagnosed, not raised: all of it at once, each with its reason. The number of queries does not
depend on the number of exposures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from registry.errors import did_you_mean
from registry.refs import DataId, Match
from registry.resolution import Missing, Resolution, Straddle
from registry.sql.collections import FlatCollection, flatten
from registry.sql.dataset_types import TypeRow, dataset_types
from registry.sql.datasets import refs_by_row
from registry.sql.diagnosis import Diagnosis
from registry.sql.events import newest_seq, refuse_future
from registry.sql.searching import Hit, Scope, SearchIndex
from registry.sql.targets import Target, load_targets
from registry.timespan import Timespan

_Found = dict[tuple[DataId, str], tuple[Hit, Hit | None, bool]]
"""The hit at mid-instant, the other one of a straddle, and whether there is a straddle."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, in the registry's terms; `types` are those that are registered."""

    connection: Connection
    targets: Mapping[DataId, Target]
    types: Mapping[str, TypeRow]
    path: Sequence[FlatCollection]
    as_of: int | None


def resolve(
    connection: Connection,
    data_ids: Sequence[DataId],
    types: Mapping[str, bool],
    collections: Sequence[str],
    *,
    as_of: int | None = None,
) -> Resolution:
    """Find the calibrations of many data ids.

    Parameters
    ----------
    connection
        An open transaction.
    data_ids
        Exposures on detectors.
    types
        The dataset types wanted, each with whether it is required.
    collections
        Where to search, in order; chains are opened.
    as_of
        Number of the event at which to look at the registry; None is now. (`events.seq_at` gives it for a time.)

    Raises
    ------
    UnknownName
        If a collection, an exposure or a detector is not registered; all are listed.
    UserError
        If event `as_of` has not happened yet.
    """
    refuse_future(connection, as_of)
    known = dataset_types(connection)
    question = _Question(
        connection,
        load_targets(connection, list(dict.fromkeys(data_ids))),
        {name: known[name] for name in types if name in known},
        flatten(connection, collections),
        as_of,
    )
    found = _search(question)
    matches, straddles = _matches(question, found)
    missing = [
        one
        for name, required in types.items()
        for one in (
            _diagnosed(question, name, required, found) if name in known else _unknown(question, name, required, known)
        )
    ]
    seq = newest_seq(connection) if as_of is None else as_of
    return Resolution(matches, missing, straddles, [collection.name for collection in question.path], seq)


def _search(question: _Question) -> _Found:
    """Look up every data id and type; what is not found is left out."""
    targets, types = question.targets, question.types
    found: _Found = {}
    if not (targets and types and question.path):
        return found
    begin = min(target.begin_ns for target in targets.values())
    end = max(target.end_ns for target in targets.values())
    instruments = sorted({target.instrument_id for target in targets.values()})
    scope = Scope([row.id for row in types.values()], instruments, Timespan(begin, end + 1), question.as_of)
    index = SearchIndex(question.connection, question.path, scope)
    for name, row in types.items():
        for data_id, target in targets.items():
            key = (row.id, target.instrument_id, *target.key(row.type))
            hit = index.at(key, target.mid_ns)
            if hit is not None:
                found[data_id, name] = (hit, *_straddle(index, key, target, hit))
    return found


def _straddle(index: SearchIndex, key: tuple[int, int, int, int], target: Target, hit: Hit) -> tuple[Hit | None, bool]:
    """Return what another instant of the exposure would have given, if that is another dataset or none."""
    if hit.rank == 0 and hit.begin_ns <= target.begin_ns and target.end_ns <= hit.end_ns:
        return None, False
    for instant in (target.begin_ns, max(target.begin_ns, target.end_ns - 1)):
        other = index.at(key, instant)
        if other is None or other.dataset_id != hit.dataset_id:
            return other, True
    return None, False


def _matches(question: _Question, found: _Found) -> tuple[dict[DataId, dict[str, Match]], list[Straddle]]:
    """Turn hits into matches; equal ones are one object."""
    rows = {hit.dataset_id for pair in found.values() for hit in pair[:2] if hit is not None}
    refs = refs_by_row(question.connection, rows)
    plain: dict[Hit, Match] = {}

    def match(hit: Hit) -> Match:
        if hit not in plain:
            plain[hit] = Match(refs[hit.dataset_id], hit.validity_id, question.path[hit.rank].name)
        return plain[hit]

    matches: dict[DataId, dict[str, Match]] = {data_id: {} for data_id in question.targets}
    straddles = []
    for (data_id, name), (hit, other, straddling) in found.items():
        chosen = match(hit)
        if straddling:
            warning = f"STRADDLE: a validity edge lies inside the exposure; {chosen.ref.short} is valid at its middle, "
            warning += f"{match(other).ref.short if other else 'nothing'} at its begin or end"
            chosen = Match(chosen.ref, chosen.validity_id, chosen.collection, warning)
            straddles.append(Straddle(name, data_id, chosen, match(other) if other else None))
        matches[data_id][name] = chosen
    return matches, straddles


def _diagnosed(question: _Question, name: str, required: bool, found: _Found) -> Iterator[Missing]:
    """Say why each data id lacks a calibration of a registered type."""
    lacking = {data_id: target for data_id, target in question.targets.items() if (data_id, name) not in found}
    if not lacking:
        return
    diagnosis = Diagnosis(question.connection, question.types[name], lacking.values(), question.path, question.as_of)
    for data_id, target in lacking.items():
        it = diagnosis.of(target)
        yield Missing(
            name, data_id, it.reason, it.detail, it.before, it.after, required, target.day_obs, it.uncertified_run
        )


def _unknown(question: _Question, name: str, required: bool, known: Mapping[str, TypeRow]) -> Iterator[Missing]:
    """Say of every data id that there is no such type."""
    detail = f"no dataset type '{name}' is registered{did_you_mean(name, list(known))}"
    for data_id, target in question.targets.items():
        yield Missing(name, data_id, "TYPE_UNKNOWN", detail, required=required, day_obs=target.day_obs)
