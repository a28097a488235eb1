"""Why an exposure got a calibration, or did not.

Every candidate, nearest first, with the first criterion it fails and what would mend it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from registry.errors import UnknownName
from registry.refs import DataId, Match, Policy
from registry.remedies import obtain
from registry.resolve import match_of
from registry.sql import tables as t
from registry.sql.candidates import (
    Candidate,
    CandidateScope,
    Wanted,
    distance_ns,
    failures,
    load_candidates,
    nearness,
)
from registry.sql.dataset_types import type_row
from registry.sql.flags import flags_of
from registry.sql.standpoint import standpoint
from registry.sql.targets import Target, load_targets
from registry.times import DAY_S, SECOND_NS, day_span, format_duration, format_time, spell_time
from registry.timespan import FOREVER_NS, Timespan

CHOSEN = "CHOSEN"
SHADOWED = "SHADOWED"
"""Matches in every respect, but an earlier collection of the path has one too."""
_MAX_GAP_DAYS = 30
"""Nearest calibrations further off than this are not offered as a fallback."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One candidate: `code` is CHOSEN, SHADOWED or the first failing criterion; `others` the further ones it fails."""

    dataset: str
    short: str
    data_id: DataId
    collection: str | None
    span: Timespan
    code: str
    detail: str
    others: tuple[str, ...]
    certified: str
    fix: str


@dataclass(frozen=True)
class Explanation:
    """The answer of `explain`: `chosen` is what the resolver gives, None if nothing."""

    data_id: DataId
    type: str
    filter_name: str | None
    mid_ns: int
    day_obs: int
    collections: tuple[str, ...]
    chosen: Match | None
    candidates: tuple[Verdict, ...]
    policy: Policy = field(default_factory=Policy)
    """What is done where nothing is valid."""
    mode: str | None = None
    """The readout mode of the exposure, as JSON, if the type is matched by mode."""
    as_of: int | None = None
    context: str | None = None
    flags: tuple[str, ...] = ()
    """What the exposure is flagged as on this detector, by whom and why."""

    @property
    def fix(self) -> str:
        """What to do to get a valid match; for the nearest candidate."""
        if self.chosen is not None and self.chosen.kind != "nearest":
            return ""
        nearest = self.candidates[0].fix if self.candidates else ""
        return "; or ".join(filter(None, (nearest, obtain(self.type, self.day_obs), self._fallback)))

    @property
    def _fallback(self) -> str:
        """The policy that would take the nearest one in time, if it is not far off."""
        if self.chosen is not None:
            return ""
        gaps = [distance_ns(one.span, self.mid_ns) for one in self.candidates if (one.code, one.others) == ("GAP", ())]
        days = math.ceil(min(gaps) / (DAY_S * SECOND_NS)) if gaps else 0
        if not 0 < days <= _MAX_GAP_DAYS:
            return ""
        return f"isrflow policy set {self.type} nearest --max-gap {days}d --reason WHY"

    def render(self, limit: int = 20) -> str:
        """Return the explanation as text, with the nearest candidates."""
        where = f"filter {self.filter_name or 'none'}, mid-exposure {format_time(self.mid_ns)}"
        where += "" if self.mode is None else f", readout mode {self.mode or 'none'}"
        lines = [f"{self.type} for {self.data_id} ({where})", f"searched: {', '.join(self.collections) or 'nothing'}"]
        lines += [f"context: {self.context}"] if self.context is not None else []
        lines += [f"as of event {self.as_of}"] if self.as_of is not None else []
        lines += [f"where none is valid: {self.policy}"] if self.policy != Policy() else []
        lines += [f"the exposure is {flag}" for flag in self.flags]
        if self.chosen is not None:
            lines.append(f"chosen: {self.chosen.ref} from {self.chosen.collection}")
            lines += [f"warning: {self.chosen.warning}"] if self.chosen.warning else []
        else:
            lines.append("chosen: none" if self.candidates else f"chosen: none; there is no {self.type} for it at all")
        lines += [f"{place:4}  {_line(one)}" for place, one in enumerate(self.candidates[:limit], 1)]
        more = len(self.candidates) - limit
        lines += [f"      and {more} more remote ones"] if more > 0 else []
        lines += [f"fix: {self.fix}"] if self.fix else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values."""
        return {
            "type": self.type,
            "data_id": self.data_id.to_dict(),
            "physical_filter": self.filter_name,
            "mid_exposure": format_time(self.mid_ns),
            "readout_mode": self.mode,
            "collections": list(self.collections),
            "context": self.context,
            "as_of": self.as_of,
            "policy": self.policy.to_dict(),
            "flags": list(self.flags),
            "match": None if self.chosen is None else self.chosen.kind,
            "gap_s": None if self.chosen is None else self.chosen.gap_ns / 1e9,
            "chosen": None if self.chosen is None else str(self.chosen.ref.id),
            "warning": None if self.chosen is None else self.chosen.warning,
            "candidates": [_verdict_dict(one) for one in self.candidates],
            "fix": self.fix,
        }


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


def _line(one: Verdict) -> str:
    """Write one candidate."""
    home = one.collection or "(not certified)"
    also = f" (also {', '.join(one.others)})" if one.others else ""
    return f"{one.short}  {home}  {one.span}  {one.code}{': ' + one.detail if one.detail else ''}{also}"


def _verdict_dict(one: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values."""
    return {
        "dataset": one.dataset,
        "data_id": one.data_id.to_dict(),
        "collection": one.collection,
        "begin": format_time(one.span.begin_ns),
        "end": format_time(one.span.end_ns),
        "code": one.code,
        "detail": one.detail,
        "also": list(one.others),
        "certified": one.certified,
        "fix": one.fix,
    }
