"""Finding what differs between two runs, quantum by quantum; each is its place in a list, so that sets are cheap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection, Table

from registry.questions.pairs import Key, RunSide, Side, changed_leaves, contents, load_sets
from registry.sql import tables as t

Kind = Literal["calibration", "config", "software", "input", "state", "only"]
Found = tuple[Kind, str, Hashable, Hashable]
"""Kind, what, before and after: members of sets of calibrations, sets of rows of datasets that were read, or words."""
NOTHING = "nothing"


@dataclass
class Comparison:
    """Two runs being compared; what differs is collected under a key that says how."""

    connection: Connection
    a: RunSide
    b: RunSide
    keys: list[Key] = field(default_factory=list)
    """What both runs have, then what only one has; all else speaks of quanta by their place here."""
    n_both: int = 0
    found: dict[Found, list[int]] = field(default_factory=lambda: defaultdict(list))
    causes: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: set[int] = field(default_factory=set)
    """Quanta of which some product has another content."""
    products: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """Type to number of products that both runs have, and of those with another content."""
    _pairs: list[tuple[Side, Side]] = field(default_factory=list)

    def compare(self) -> None:
        """Compare all that can differ."""
        for key, one in self.a.quanta.items():
            other = self.b.quanta.get(key)
            if other is not None:
                self.keys.append(key)
                self._pairs.append((one, other))
        self.n_both = len(self.keys)
        self._calibrations()
        self._blobs("config", t.config_blob, lambda side: side.config_id, ("settings.",))
        self._blobs("software", t.software_env, lambda side: side.software_id, ("packages.",))
        self._inputs()
        self._products()
        self._ends()
        for run, counterpart in ((self.a, self.b), (self.b, self.a)):
            alone = sorted(run.quanta.keys() - counterpart.quanta.keys())
            if alone:
                self.found["only", run.name, "", ""] = list(range(len(self.keys), len(self.keys) + len(alone)))
                self.keys += alone

    def _calibrations(self) -> None:
        pairs: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for place, (a, b) in enumerate(self._pairs):
            if a.calib_set_id != b.calib_set_id and "skipped" not in {a.state, b.state}:
                pairs[a.calib_set_id, b.calib_set_id].append(place)
        sets = load_sets(self.connection, {number for pair in pairs for number in pair})
        for (old, new), places in pairs.items():
            for role in sorted({*sets[old], *sets[new]}):
                one, other = sets[old].get(role), sets[new].get(role)
                if one is None or other is None or one.dataset_id != other.dataset_id:
                    self._note(("calibration", role, one, other), places)

    def _blobs(self, kind: Kind, table: Table, which: Callable[[Side], int], prefixes: Sequence[str]) -> None:
        pairs: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for place, (a, b) in enumerate(self._pairs):
            if which(a) != which(b):
                pairs[which(a), which(b)].append(place)
        for (old, new), places in pairs.items():
            for path, one, other in changed_leaves(self.connection, table, old, new):
                name = next((path.removeprefix(some) for some in prefixes if path.startswith(some)), path)
                self._note((kind, name, _spelled(one), _spelled(other)), places)

    def _inputs(self) -> None:
        """Compare what was read, role by role; of roles that only number what is alike ("raw:1"), all at once."""
        others: list[tuple[int, str, frozenset[int], frozenset[int]]] = []
        for place, (a, b) in enumerate(self._pairs):
            old, new = self.a.inputs.get(a.id, {}), self.b.inputs.get(b.id, {})
            if old != new and "skipped" not in {a.state, b.state}:
                for role in sorted({short_role(name) for name in (*old, *new)}):
                    one, other = (
                        {row for name, row in rows.items() if short_role(name) == role} for rows in (old, new)
                    )
                    others.append((place, role, frozenset(one - other), frozenset(other - one)))
        content = contents(self.connection, {row for *_, one, other in others for row in (*one, *other)})
        for place, role, gone, come in others:
            if {content.get(row, str(row)) for row in gone} != {content.get(row, str(row)) for row in come}:
                self._note(("input", role, gone, come), [place])

    def _products(self) -> None:
        for place, (a, b) in enumerate(self._pairs):
            old, new = self.a.outputs.get(a.id, {}), self.b.outputs.get(b.id, {})
            for kind in old.keys() & new.keys():
                sums = self.products[kind]
                sums[0] += 1
                if old[kind] != new[kind]:
                    sums[1] += 1
                    self.changed.add(place)

    def _ends(self) -> None:
        for place, (a, b) in enumerate(self._pairs):
            if a.state != b.state or (a.state != "done" and a.why != b.why):
                self.found["state", "", _ended(a), _ended(b)].append(place)

    def _note(self, difference: Found, places: Sequence[int]) -> None:
        self.found[difference].extend(places)
        for place in places:
            self.causes[place].add(short_role(difference[1]))


def short_role(role: str) -> str:
    """Return a role without what numbers it: "raw" of "raw:20260301001"."""
    return role.partition(":")[0]


def _spelled(value: object) -> str:
    return NOTHING if value is None else str(value)


def _ended(side: Side) -> str:
    return f"{side.state} ({side.why})" if side.why and side.state != "done" else side.state
