"""What calibrations a planned night has, before a single exposure is taken, and so what to take this afternoon."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from registry.canonical import canonical_json
from registry.errors import UnknownName
from registry.questions.coverage import STATES, State, spell_column
from registry.questions.whatif import View
from registry.remedies import MADE_OF_RAWS, obtain
from registry.resolution import spell_numbers
from registry.sql import tables as t
from registry.sql.dataset_types import TypeRow, dataset_types
from registry.sql.keys import instrument_id, known_filters
from registry.sql.searching import Scope, SearchIndex
from registry.sql.standpoint import Standpoint, standpoint
from registry.times import format_duration
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan

FRAMES = {
    "bias": ("bias",),
    "dark": ("dark",),
    "flat": ("flat",),
    "defects": ("dark", "flat"),
}
"""The exposures that a type is made of."""


_NEVER_SEEN = -1
"""Row of a readout mode in which no exposure was ever taken: nothing matches it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a detector needs through a filter: types, each with whether it is required."""

    physical_filter: str | None
    detector: int
    types: Mapping[str, bool]
    obs_type: str = "science"
    readout_mode: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedNight:
    """A night to come: when to look (TAI; what is valid at some of these instants only is missing), and what for."""

    instrument: str
    night: int
    instants_ns: Sequence[int]
    needs: Sequence[Planned]


@dataclass(frozen=True, slots=True)
class Prospect:
    """How a type stands for the night, on some detectors."""

    type: str
    physical_filter: str | None
    state: State
    detectors: tuple[int, ...]
    detail: str
    needed_for: tuple[str, ...]
    """Kinds of exposures that need it."""


@dataclass(frozen=True)
class Tonight:
    """The answer of `tonight`."""

    night: int
    prospects: tuple[Prospect, ...]

    @property
    def lacking(self) -> tuple[Prospect, ...]:
        """What is required and missing, or there only by a fallback."""
        return tuple(one for one in self.prospects if one.state in {"missing", "fallback"})

    @property
    def is_complete(self) -> bool:
        """Say whether nothing is missing; fallbacks do."""
        return not any(one.state == "missing" for one in self.prospects)

    def to_take(self) -> list[str]:
        """Return the exposures to take before the night, each once."""
        frames: dict[str, None] = {}
        for one in self.lacking:
            for kind in FRAMES.get(one.type, ()):
                where = f" through {one.physical_filter}" if kind == "flat" and one.physical_filter else ""
                through = " through every filter of the night" if kind == "flat" and not where else ""
                frames[f"{kind} exposures{where}{through}"] = None
        return list(frames)

    def commands(self) -> list[str]:
        """Return what to type when they are taken."""
        kinds = [kind for kind in FRAMES if any(one.type == kind for one in self.lacking)]
        steps = []
        if kinds:
            run = f"calibs/{self.night}"
            steps.append(f"isrflow calibs build {' '.join(kinds)} --night {self.night} --out {run}")
            steps.append(f"isrflow calibs certify {run} --begin {self.night} --mode replace")
        others = sorted({one.type for one in self.lacking} - MADE_OF_RAWS)
        return steps + [obtain(kind, self.night) for kind in others]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "night": self.night,
            "complete": self.is_complete,
            "prospects": [
                {name: getattr(one, name) for name in Prospect.__dataclass_fields__} for one in self.prospects
            ],
            "take": self.to_take(),
            "commands": self.commands(),
        }

    def render(self) -> str:
        """Return the answer as text."""
        lines = [f"night {self.night}: {'nothing is missing' if self.is_complete else 'calibrations are missing'}"]
        columns = Counter((one.type, one.physical_filter) for one in self.prospects)
        for one in self.prospects:
            where = f" on detectors {spell_numbers(one.detectors)}"
            if columns[one.type, one.physical_filter] > 1:  # required of some exposures, not of others
                where += f" for {', '.join(one.needed_for)}"
            detail = f": {one.detail}" if one.detail else ""
            lines.append(f"  {one.state:9}  {spell_column(one.type, one.physical_filter)}{where}{detail}")
        if self.lacking:
            lines += ["take before the night:", *(f"  {frames}" for frames in self.to_take())] if self.to_take() else []
            lines += ["then:", *(f"  {command}" for command in self.commands())]
        return "\n".join(lines)


def tonight(connection: Connection, plan: PlannedNight, view: View) -> Tonight:
    """Say how a planned night stands.

    Parameters
    ----------
    connection
        An open transaction.
    plan
        The night.
    view
        From where calibrations are looked for.

    Raises
    ------
    UnknownName
        If a filter, a detector or a collection is not registered.
    """
    types = dataset_types(connection)
    stand = standpoint(connection, view.collections, as_of=view.as_of, policies=view.policies, context=view.context)
    known = sorted({name for one in plan.needs for name in one.types if name in types})
    search = _Search(connection, plan, {name: types[name] for name in known}, stand)
    found: defaultdict[tuple[str, str | None, State, str], set[int]] = defaultdict(set)
    reasons: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
    for one in plan.needs:
        for name, required in one.types.items():
            if name not in types:
                continue
            through = one.physical_filter if "physical_filter" in types[name].type.dimensions else None
            state, detail = search.state(name, through, one, required=required)
            found[name, through, state, detail].add(one.detector)
            reasons[name, through].add(one.obs_type)
    order = sorted(found, key=lambda key: (-STATES.index(key[2]), key[0], key[1] or "", key[3]))
    return Tonight(
        plan.night,
        tuple(
            Prospect(name, through, state, tuple(sorted(found[key])), detail, tuple(sorted(reasons[name, through])))
            for key in order
            for name, through, state, detail in [key]
        ),
    )


class _Search:
    """What is valid at some instants, for exposures that are not there yet."""

    def __init__(
        self,
        connection: Connection,
        plan: PlannedNight,
        types: Mapping[str, TypeRow],
        stand: Standpoint,
    ) -> None:
        self._types, self._instants, self._stand = types, sorted(plan.instants_ns), stand
        self._instrument = instrument_id(connection, plan.instrument)
        d = t.detector.c
        query = select(d.number, d.id).where(d.instrument_id == self._instrument)
        self._detectors = {row.number: row.id for row in connection.execute(query)}
        self._filters = known_filters(connection, plan.instrument)
        r = t.readout_mode.c
        self._modes = {row.canonical: row.id for row in connection.execute(select(r.canonical, r.id))}
        self._modes["{}"] = t.NOT_APPLICABLE
        gaps = [stand.policy(name).max_gap_ns or 0 for name in types]
        widest = max(gaps, default=0) + 1
        begin, end = max(self._instants[0] - widest, BEGINNING_NS), min(self._instants[-1] + widest, FOREVER_NS)
        by_mode = frozenset(row.id for row in types.values() if row.type.matches_mode)
        ids = [row.id for row in types.values()]
        scope = Scope(ids, [self._instrument], Timespan(begin, end), stand.as_of, by_mode)
        self._index = SearchIndex(connection, stand.path, scope)

    def state(self, name: str, physical_filter: str | None, planned: Planned, *, required: bool) -> tuple[State, str]:
        """Return how a type stands, and how that is."""
        key = self._key(name, physical_filter, planned.detector, canonical_json(planned.readout_mode))
        policy = self._stand.policy(name)
        hits = [self._index.at(key, instant) for instant in self._instants]
        if all(hit is not None for hit in hits):
            return "certified", ""
        near = [
            None if policy.max_gap_ns is None else self._index.nearest(key, instant, policy.max_gap_ns)
            for instant, hit in zip(self._instants, hits, strict=True)
            if hit is None
        ]
        gaps = [one[1] for one in near if one is not None]
        if near and len(gaps) == len(near):
            return "fallback", f"the nearest, {format_duration(max(gaps))} away (policy {policy})"
        if not required or policy.on_missing == "optional":
            return "absent", "not required"
        part = "of all the night" if all(hit is None for hit in hits) else "of part of the night"
        return "missing", f"nothing is valid {part}"

    def _key(self, name: str, physical_filter: str | None, detector: int, mode: str) -> tuple[int, int, int, int, int]:
        row = self._types[name]
        if detector not in self._detectors:
            raise UnknownName(kind="detector", name=str(detector), known=[str(one) for one in sorted(self._detectors)])
        if physical_filter is not None and physical_filter not in self._filters:
            raise UnknownName(kind="physical filter", name=physical_filter, known=sorted(self._filters))
        return (
            row.id,
            self._instrument,
            self._detectors[detector] if "detector" in row.type.dimensions else t.NOT_APPLICABLE,
            self._filters[physical_filter] if physical_filter is not None else t.NOT_APPLICABLE,
            self._modes.get(mode, _NEVER_SEEN) if row.type.matches_mode else t.NOT_APPLICABLE,
        )
