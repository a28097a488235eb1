"""What resolving the calibrations of many exposures at once gives.

Matches, all that is missing with its reason, and a readable report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from registry.contexts import ContextRow
from registry.refs import DataId, Match, Policy
from registry.remedies import MADE_OF_RAWS, obtain
from registry.times import format_duration, format_time
from registry.timespan import Timespan

REASONS = {
    "TYPE_UNKNOWN": "no such dataset type is registered",
    "NEVER_CERTIFIED": "none was ever certified for it in the collections searched",
    "FILTER_MISMATCH": "there is one only for another filter",
    "MODE_MISMATCH": "there is one only for another readout mode",
    "COLLECTION_NOT_IN_PATH": "there is one, but in a collection that is not searched",
    "GAP": "none is valid at mid-exposure",
    "NOT_YET_CERTIFIED": "it was certified only after the moment asked about",
    "REVOKED": "its validity was revoked",
    "MARKED": "it is marked, and so not used",
    "NOT_LIVE": "it is certified, but its file is not there",
}
"""Why a calibration is missing, from the reason that is furthest from a match to the nearest."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The nearest calibration in time that would fit otherwise, and how far its validity is from mid-exposure."""

    dataset: UUID
    collection: str
    span: Timespan
    distance_ns: int

    def __str__(self) -> str:
        return (
            f"{self.dataset.hex[:8]} valid {self.span} in {self.collection}, {format_duration(self.distance_ns)} away"
        )


@dataclass(frozen=True, slots=True)
class Missing:
    """A calibration that was not found for one data id.

    `reason` is a key of `REASONS`, `detail` says it for this case.
    """

    type: str
    data_id: DataId
    reason: str
    detail: str
    before: Neighbour | None = None
    after: Neighbour | None = None
    required: bool = True
    day_obs: int = 0
    uncertified_run: str | None = None
    """The run of a dataset that lacks nothing but a certification."""
    policy: Policy = field(default_factory=Policy)
    """What is done about it."""

    @property
    def is_quiet(self) -> bool:
        """Whether the quantum is left undone without any fuss: so the policy wants it."""
        return self.required and self.policy.on_missing == "skip"

    @property
    def is_done_without(self) -> bool:
        """Whether the recipe requires it, but the policy lets the quantum go on without."""
        return self.policy.on_missing == "optional"


@dataclass(frozen=True, slots=True)
class Straddle:
    """A validity edge inside an exposure.

    `chosen` is valid at mid-exposure, `other` at its begin or end (None: nothing is).
    """

    type: str
    data_id: DataId
    chosen: Match
    other: Match | None


@dataclass(frozen=True)
class Resolution:
    """The calibrations of many data ids.

    `matches` has an entry for every data id asked for; what it lacks is in `missing`. The result depends on nothing
    but the exposures, the collections in their order, the policies, and the moment of the registry's clock (`as_of`,
    the number of an event).
    """

    matches: Mapping[DataId, Mapping[str, Match]]
    missing: Sequence[Missing]
    straddles: Sequence[Straddle]
    collections: Sequence[str]
    as_of: int
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """What was done where a type was missing, of the types asked for."""
    context: ContextRow | None = None
    """The frozen context that was asked, if one was."""

    def complete(self, data_id: DataId) -> bool:
        """Say whether nothing that is required is missing for a data id."""
        return data_id not in self._lacking

    def reason(self, data_id: DataId) -> str:
        """Return one line saying what a data id lacks; empty if it is complete."""
        return "; ".join(f"no {one.type}: {one.detail}" for one in self._lacking.get(data_id, ()))

    @property
    def fallbacks(self) -> list[tuple[DataId, str, Match]]:
        """Data id, type and match of everything that is not valid at mid-exposure, but the nearest there is."""
        return [
            (data_id, name, match)
            for data_id, found in self.matches.items()
            for name, match in found.items()
            if match.kind == "nearest"
        ]

    def report(self) -> str:
        """Return all that is missing as one text, grouped, each group with the next commands; empty if nothing is."""
        lines = [self._head, *self._told_missing()] if self.missing or self.straddles else []
        return "\n".join(lines + self.notes())

    def missing_report(self) -> str:
        """Return what is required, missing and an error as text; empty if nothing is."""
        return "\n".join([self._head, *self._told_missing()]) if self._loud else ""

    @property
    def _loud(self) -> list[Missing]:
        return [one for one in self.missing if one.required and not one.is_quiet]

    @property
    def _head(self) -> str:
        n_lacking = len({one.data_id for one in self._loud})
        head = f"{n_lacking} of {len(self.matches)} quanta lack a required calibration"
        return f"{head}; searched: {', '.join(self.collections)}"

    def _told_missing(self) -> list[str]:
        lines = [line for group in _grouped(self._loud) for line in _told(group)]
        optional = sorted({one.type for one in self.missing if not one.required and not one.is_done_without})
        lines += [f"missing, but not required: {', '.join(optional)}"] if optional else []
        return lines + (
            [f"{len(self.straddles)} matches have a validity edge inside the exposure"] if self.straddles else []
        )

    def notes(self) -> list[str]:
        """Return one line for everything that policies did: fallbacks, quanta left undone, quanta done without."""
        return [*self._fallback_notes(), *self._policy_notes()]

    def _fallback_notes(self) -> list[str]:
        groups: defaultdict[tuple[str, str], list[tuple[DataId, Match]]] = defaultdict(list)
        for data_id, name, match in self.fallbacks:
            groups[name, match.ref.run].append((data_id, match))
        return [
            f"fallback: {name} of {run}, not valid but the nearest, {_spell_gaps(match.gap_ns for _, match in group)} "
            f"away, for {spell_data_ids(one for one, _ in group)} (policy {self.policies.get(name, Policy())})"
            for (name, run), group in groups.items()
        ]

    def _policy_notes(self) -> list[str]:
        groups: defaultdict[tuple[str, bool, str], list[DataId]] = defaultdict(list)
        for one in self.missing:
            if one.is_quiet or one.is_done_without:
                groups[one.type, one.is_quiet, one.detail].append(one.data_id)
        return [
            (f"skipped: {spell_data_ids(ids)} lack {name}: {detail} (policy skip)")
            if is_quiet
            else f"done without: {spell_data_ids(ids)} lack {name}: {detail} (policy optional)"
            for (name, is_quiet, detail), ids in groups.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return what is missing as plain values."""
        return {
            "quanta": len(self.matches),
            "incomplete": len(self._lacking),
            "collections": list(self.collections),
            "as_of": self.as_of,
            "context": None if self.context is None else self.context.name,
            "policies": {name: policy.to_dict() for name, policy in sorted(self.policies.items())},
            "missing": [_missing_dict(one) for one in self.missing],
            "fallbacks": [
                {"type": name, "data_id": data_id.to_dict(), "dataset": str(match.ref.id), "gap_s": match.gap_ns / 1e9}
                for data_id, name, match in self.fallbacks
            ],
            "straddles": [{"type": s.type, "data_id": s.data_id.to_dict()} for s in self.straddles],
        }

    @cached_property
    def _lacking(self) -> dict[DataId, list[Missing]]:
        """What each incomplete data id lacks; asked once for every quantum of a night, so it is kept."""
        lacking: defaultdict[DataId, list[Missing]] = defaultdict(list)
        for one in self.missing:
            if one.required:
                lacking[one.data_id].append(one)
        return dict(lacking)


def _spell_gaps(gaps: Iterable[int]) -> str:
    """Write how far away: a length of time, or the shortest and the longest of several."""
    lengths = list(dict.fromkeys(format_duration(gap) for gap in sorted(gaps)))
    return lengths[0] if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"


def spell_numbers(numbers: Iterable[int]) -> str:
    """Write numbers with runs drawn together: "0-3, 7"."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def spell_data_ids(data_ids: Iterable[DataId]) -> str:
    """Write data ids of one kind in short: "lupine exposures 1-3, detectors 0-188, filter r"; a single one in full."""
    ids = sorted(set(data_ids))
    if len(ids) == 1:
        return str(ids[0])
    exposures = spell_numbers(one.exposure for one in ids if one.exposure is not None)
    detectors = spell_numbers(one.detector for one in ids if one.detector is not None)
    filters = ", ".join(sorted({one.physical_filter for one in ids if one.physical_filter is not None}))
    words = [("exposures", exposures), ("detectors", detectors), ("filter", filters)]
    instruments = ", ".join(sorted({one.instrument for one in ids}))
    return f"{instruments} " + ", ".join(f"{word} {text}" for word, text in words if text)


def _grouped(missing: Iterable[Missing]) -> list[list[Missing]]:
    """Group by type, reason and detail, in the order in which they come."""
    groups: defaultdict[tuple[str, str, str, bool], list[Missing]] = defaultdict(list)
    for one in missing:
        groups[one.type, one.reason, one.detail, one.required].append(one)
    return list(groups.values())


def _told(group: Sequence[Missing]) -> list[str]:
    """Tell one group: where, why, what is nearest, and what to type next."""
    first = group[0]
    exposures = spell_numbers(one.data_id.exposure for one in group if one.data_id.exposure is not None)
    detectors = spell_numbers(one.data_id.detector for one in group if one.data_id.detector is not None)
    lines = ["", f"{first.type}: {first.reason}, {first.detail}", f"    exposures {exposures}, detectors {detectors}"]
    for word, neighbours in (("before", [one.before for one in group]), ("after", [one.after for one in group])):
        there = [neighbour for neighbour in neighbours if neighbour is not None]
        if there:
            lines.append(f"    nearest {word}: {min(there, key=lambda neighbour: neighbour.distance_ns)}")
    lines.append(f"    why: isrflow explain {first.data_id.exposure} {first.data_id.detector} {first.type}")
    night = min(one.day_obs for one in group)
    if first.uncertified_run is not None:
        lines.append(f"    certify: isrflow calibs certify {first.uncertified_run} --begin {night}")
    elif first.reason != "TYPE_UNKNOWN":
        lines.append(f"    {'make' if first.type in MADE_OF_RAWS else 'bring in'}: {obtain(first.type, night)}")
    return lines


def _missing_dict(one: Missing) -> dict[str, Any]:
    """Return a missing calibration as plain values."""
    return {
        "type": one.type,
        "data_id": one.data_id.to_dict(),
        "reason": one.reason,
        "detail": one.detail,
        "required": one.required,
        "policy": one.policy.on_missing,
        "before": _neighbour_dict(one.before),
        "after": _neighbour_dict(one.after),
    }


def _neighbour_dict(neighbour: Neighbour | None) -> dict[str, Any] | None:
    """Return a neighbour as plain values."""
    if neighbour is None:
        return None
    return {
        "dataset": str(neighbour.dataset),
        "collection": neighbour.collection,
        "begin": format_time(neighbour.span.begin_ns),
        "end": format_time(neighbour.span.end_ns),
        "distance_s": neighbour.distance_ns / 1e9,
    }
