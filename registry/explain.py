"""Why an exposure got a calibration, or did not.

Every candidate, nearest first, with the first criterion it fails and what would mend it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, select

from registry.errors import UnknownName
from registry.explanation import CHOSEN, SHADOWED, Explanation, Verdict
from registry.refs import DataId, Match
from registry.resolve import match_of
from registry.sql import tables as t
from registry.sql.candidates import (
    Candidate,
    CandidateScope,
    Wanted,
    failures,
    load_candidates,
    nearness,
)
from registry.sql.dataset_types import type_row
from registry.sql.flags import flags_of
from registry.sql.standpoint import standpoint
from registry.sql.targets import Target, load_targets
from registry.times import day_span, format_duration, spell_time
from registry.timespan import FOREVER_NS


def explain(
    connection: Connection,
    exposure: int,
    detector: int,
    type_name: str,
    collections: Sequence[str] = (),
    *,
    instrument: str | None = None,
    as_of: int | None = None,
    context: str | None = None,
) -> Explanation:
    """Explain which calibration an exposure gets, and why not the others.

    Parameters
    ----------
    connection
        An open transaction.
    exposure, detector
        Whose calibration.
    type_name
        Which one.
    collections
        Where to search, in order.
    instrument
        Needed only if several instruments have an exposure of this number.
    as_of
        Number of the event at which to look at the registry; None is now.
    context
        A frozen context, instead of `collections` and `as_of`.

    Raises
    ------
    UnknownName
        If the exposure, detector, type, context or a collection is not registered.
    UserError
        If a context is given and something that it fixes, too.
    """
    row = type_row(connection, type_name)
    stand = standpoint(connection, collections, as_of=as_of, context=context)
    data_id = DataId(instrument or _instrument_of(connection, exposure), exposure, detector)
    target = load_targets(connection, [data_id])[data_id]
    chosen = match_of(connection, target, row, stand)
    by_mode, detectors = row.type.matches_mode, [target.key(row.type)[0]]
    scope = CandidateScope(row.id, target.instrument_id, detectors, None, stand.as_of, by_mode)
    candidates = load_candidates(connection, scope, stand.path)
    filter_name = target.filter_name if "physical_filter" in row.type.dimensions else None
    wanted = Wanted(target.mid_ns, filter_name, stand.names, stand.as_of, target.mode if by_mode else None)
    ranked = sorted(candidates, key=lambda one: (not _is_chosen(one, chosen), *nearness(one, wanted)))
    home = next((one.name for one in stand.path if one.kind == "CALIBRATION"), None)
    commands = _certify_commands(ranked, home, target)
    verdicts = tuple(_verdict(one, wanted, chosen, command) for one, command in zip(ranked, commands, strict=True))
    return Explanation(
        data_id,
        type_name,
        target.filter_name,
        target.mid_ns,
        target.day_obs,
        tuple(stand.names),
        chosen,
        verdicts,
        stand.policy(type_name),
        wanted.mode,
        stand.as_of,
        context,
        tuple(flag.render() for flag in flags_of(connection, [data_id], stand.as_of).get(data_id, ())),
    )


def _verdict(candidate: Candidate, wanted: Wanted, chosen: Match | None, certify: str) -> Verdict:
    """Judge one candidate."""
    failed = failures(candidate, wanted)
    code = next(iter(failed), SHADOWED)
    detail = failed.get(code, f"an earlier collection, {chosen.collection}, has one" if chosen else "")
    if chosen is not None and _is_chosen(candidate, chosen):
        failed, code = {}, CHOSEN
        detail = f"the nearest, {format_duration(chosen.gap_ns)} away" if chosen.kind == "nearest" else ""
    row = candidate.row
    return Verdict(
        dataset=str(candidate.ref.id),
        short=candidate.ref.short,
        data_id=candidate.ref.data_id,
        collection=candidate.collection,
        span=candidate.span,
        code=code,
        detail=detail,
        others=tuple(failed)[1:],
        certified=str(row.certified) if row is not None and row.certified is not None else "",
        fix=_fix(code, candidate, certify) if len(failed) == 1 else "",
    )


def _is_chosen(candidate: Candidate, chosen: Match | None) -> bool:
    """Say whether a candidate is the resolver's match, and by the same row."""
    if chosen is None:
        return False
    row_id = candidate.row.id if candidate.row is not None else None
    return (candidate.ref.id, candidate.collection, row_id) == (chosen.ref.id, chosen.collection, chosen.validity_id)


def _fix(code: str, candidate: Candidate, certify: str) -> str:
    """Return the smallest change that would make a candidate match; `certify` is the command that certifies it."""
    again = "run again the `isrflow calibs build` that made it"
    return {
        "COLLECTION_NOT_IN_PATH": certify,
        "NEVER_CERTIFIED": certify,
        "GAP": certify,
        "REVOKED": certify,
        "MARKED": f"isrflow unrecall {candidate.ref.short} --reason WHY, if it was marked bad wrongly",
        "NOT_LIVE": f"restore the file of {candidate.ref.short} from a backup, or {again}",
        "NOT_YET_CERTIFIED": "ask about a later moment",
    }.get(code, "")


def _free_range(candidate: Candidate, rivals: Sequence[Candidate], home: str | None, target: Target) -> str:
    """Return the options that certify a candidate around an exposure, without touching what is certified there.

    `home` is the collection to certify it in: the first of the path that can hold validity; none, none is named. What
    is certified at mid-exposure itself, and yet was not chosen (its file is gone, say), has to be replaced.
    """
    begin, end = day_span(target.day_obs, 0.0).begin_ns, FOREVER_NS
    begin, in_the_way = min(begin, target.begin_ns), False
    for rival in rivals:
        same_place = rival.collection == home and rival.modes == candidate.modes
        if not same_place or rival.row is None or rival.row.revoked is not None:
            continue
        begin = max(begin, rival.span.end_ns) if rival.span.end_ns <= target.mid_ns else begin
        end = min(end, rival.span.begin_ns) if rival.span.begin_ns > target.mid_ns else end
        in_the_way = in_the_way or rival.span.contains(target.mid_ns)
    words = ["--begin", spell_time(begin)]
    words += ["--end", spell_time(end)] if end < FOREVER_NS else []
    words += ["--collection", home] if home is not None else []
    return " ".join(words + (["--mode replace"] if in_the_way else []))


def _certify_commands(ranked: Sequence[Candidate], home: str | None, target: Target) -> list[str]:
    """Return for each candidate the command that certifies it; those of one key have the same range free."""
    by_key: defaultdict[DataId, list[Candidate]] = defaultdict(list)
    for one in ranked:
        by_key[one.ref.data_id].append(one)
    ranges: dict[tuple[DataId, tuple[str, ...]], str] = {}
    for one in ranked:
        key = (one.ref.data_id, one.modes)
        if key not in ranges:
            ranges[key] = _free_range(one, by_key[one.ref.data_id], home, target)
    return [f"isrflow calibs certify {one.ref.short} {ranges[one.ref.data_id, one.modes]}" for one in ranked]


def _instrument_of(connection: Connection, exposure: int) -> str:
    """Return the instrument that took an exposure, which must be one only."""
    query = select(t.instrument.c.name).join(t.exposure, t.exposure.c.instrument_id == t.instrument.c.id)
    names = list(connection.execute(query.where(t.exposure.c.number == exposure, t.exposure.c.id != 0)).scalars())
    if not names:
        raise UnknownName(kind="exposure", name=str(exposure), fix="isrflow query exposures")
    if len(names) > 1:
        message = f"exposure {exposure} exists for several instruments: {', '.join(sorted(names))}; name one"
        raise UnknownName(message, kind="exposure", name=str(exposure))
    return str(names[0])
