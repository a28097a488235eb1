"""What explaining a calibration gives: every candidate with its verdict, for people and for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from registry.refs import DataId, Match, Policy
from registry.remedies import obtain
from registry.sql.candidates import distance_ns
from registry.times import DAY_S, SECOND_NS, format_time
from registry.timespan import Timespan

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
