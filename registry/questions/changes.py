"""Which calibrations would be others: two answers of the resolver, side by side, grouped to the fewest lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from registry.refs import DataId, DatasetRef, Match
from registry.resolution import Resolution, spell_data_ids

Effect = Literal["other", "gained", "lost", "way"]
"""Another calibration; one where there was none; none where there was one; the same one, found in another way."""


@dataclass(frozen=True, slots=True)
class Change:
    """Quanta that would get other calibrations of some types, or such as they had not, or none."""

    types: tuple[str, ...]
    """The kinds of calibration that share this lot."""
    effect: Effect
    before: tuple[DatasetRef, ...]
    after: tuple[DatasetRef, ...]
    data_ids: tuple[DataId, ...]
    required: bool
    why: str
    """How the new one is found, or why there is none."""

    def __str__(self) -> str:
        where = f"{len(self.data_ids)} quanta: " if len(self.data_ids) > 1 else ""
        why = f" ({self.why})" if self.why else ""
        pair = f"{_names(self.before)} -> {_names(self.after)}"
        if self.effect == "lost":
            pair = f"{_names(self.before)} -> {'NOTHING' if self.required else 'nothing (not required)'}"
        return f"{', '.join(self.types)}: {pair}{why}: {where}{spell_data_ids(self.data_ids)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "types": list(self.types),
            "effect": self.effect,
            "before": [ref.to_dict("id", "run", "data_id") for ref in self.before],
            "after": [ref.to_dict("id", "run", "data_id") for ref in self.after],
            "required": self.required,
            "why": self.why,
            "quanta": [data_id.to_dict() for data_id in self.data_ids],
        }


@dataclass(frozen=True, slots=True)
class Case:
    """One data id and type, before and after."""

    type: str
    data_id: DataId
    before: Match | None
    after: Match | None
    required: bool = True
    why: str = ""
    """Why there is none afterwards."""

    @property
    def effect(self) -> Effect | None:
        """What happens; None if nothing does."""
        if self.before is None or self.after is None:
            return None if self.before is self.after else "gained" if self.before is None else "lost"
        if self.before.ref.id != self.after.ref.id:
            return "other"
        return "way" if _is_near(self.before) != _is_near(self.after) else None


def cases(before: Resolution, after: Resolution, types: Mapping[str, bool]) -> list[Case]:
    """Return every data id and type of two resolutions of the same question."""
    why = {(one.data_id, one.type): f"{one.reason}, {one.detail}" for one in after.missing}
    return [
        Case(name, data_id, found.get(name), after.matches[data_id].get(name), required, why.get((data_id, name), ""))
        for data_id, found in before.matches.items()
        for name, required in types.items()
    ]


def grouped(every: Iterable[Case]) -> tuple[Change, ...]:
    """Group the cases in which something happens: what many detectors and types have in common is one change."""
    groups: defaultdict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in every:
        if case.effect is not None:
            homes = tuple(None if one is None else (one.ref.run, one.collection) for one in (case.before, case.after))
            groups[case.type, case.effect, *homes, case.required, _told(case)].append(case)
    lots: defaultdict[tuple[Any, ...], list[list[Case]]] = defaultdict(list)
    for (_, *lot), some in groups.items():
        lots[*lot, tuple(sorted(case.data_id for case in some))].append(some)
    changes = [
        Change(
            tuple(sorted({some[0].type for some in alike})),
            effect,
            _refs(case.before for some in alike for case in some),
            _refs(case.after for some in alike for case in some),
            data_ids,
            required,
            why,
        )
        for (effect, _, _, required, why, data_ids), alike in lots.items()
    ]
    order = {"lost": 0, "gained": 1, "other": 2, "way": 3}
    return tuple(sorted(changes, key=lambda one: (order[one.effect], not one.required, one.types, one.data_ids)))


def _told(case: Case) -> str:
    """Say how what comes instead is found, or why nothing does."""
    if case.after is None:
        return case.why
    if _is_near(case.after):
        return "not valid there, but the nearest"
    return "valid, no fallback any more" if case.before is not None and _is_near(case.before) else ""


def _is_near(match: Match) -> bool:
    return match.kind == "nearest"


def _refs(matches: Iterable[Match | None]) -> tuple[DatasetRef, ...]:
    there = {match.ref.id: match.ref for match in matches if match is not None}
    return tuple(there[key] for key in sorted(there))


def _names(refs: Sequence[DatasetRef]) -> str:
    if not refs:
        return "nothing"
    return f"{refs[0].short} ({refs[0].run})" if len(refs) == 1 else f"{len(refs)} of {refs[0].run}"
