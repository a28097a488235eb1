"""What differs between two runs, and so why their products do: grouped to the smallest explanation.

Quanta of the same task and data id are compared: the calibrations they used, their configuration, the software, the
data they read, how they ended, and the content of what they made. Two datasets with the same content are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from sqlalchemy import Connection, Table

from registry.questions.pairs import (
    Key,
    Member,
    RunSide,
    changed_leaves,
    contents,
    in_both,
    load_sets,
    load_side,
)
from registry.questions.words import count
from registry.refs import DatasetRef
from registry.resolution import spell_data_ids
from registry.sql import tables as t
from registry.sql.collections import collection_id
from registry.sql.datasets import refs_by_row
from registry.sql.validity_rows import ValidityRow, validity_by_id

Kind = Literal["calibration", "config", "software", "input", "state", "only"]
CAUSES: tuple[Kind, ...] = ("calibration", "config", "software", "input")
"""What can make products differ."""
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which quanta of two runs differ, with all the quanta that differ so."""

    kind: Kind
    what: str
    """Kinds of calibration that share their lot, a setting, a package, a role of input; or the run that has them."""
    before: str
    after: str
    why: str
    """By whose word, for calibrations; the reason, for how quanta ended."""
    quanta: tuple[Key, ...]
    n_of: int
    """Number of quanta that both runs have."""

    @property
    def where(self) -> str:
        """Say which quanta."""
        if len(self.quanta) == self.n_of and self.kind != "only":
            return f"all {self.n_of} quanta" if self.n_of > 1 else f"{self.quanta[0][0]} of {self.quanta[0][1]}"
        return f"{spell_quanta(self.quanta)}"

    def __str__(self) -> str:
        if self.kind == "only":
            return f"only in {self.what}: {self.where}"
        name = {"calibration": self.what, "state": "ended"}.get(self.kind, f"{self.kind} {self.what}")
        return f"{name}: {self.before} -> {self.after}{f', {self.why}' if self.why else ''}: {self.where}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Quanta with the same causes to differ, and how many of them made other products than before."""

    causes: tuple[str, ...]
    """What differs: "bias", "overscan.order", "numpy"; empty if nothing on record does."""
    n: int
    changed: tuple[Key, ...]
    """Those of which some product has another content."""


@dataclass(frozen=True)
class RunDiff:
    """The answer of `diff`."""

    before: str
    after: str
    n_both: int
    differences: tuple[Difference, ...]
    outcomes: tuple[Outcome, ...]
    products: Mapping[str, tuple[int, int]]
    """Type to number of products of which both runs have one, and of those with another content."""

    @property
    def is_empty(self) -> bool:
        """Say whether the runs are the same in all that was compared."""
        return not self.differences and not any(changed for _, changed in self.products.values())

    @cached_property
    def unexplained(self) -> tuple[Key, ...]:
        """Quanta whose products differ though nothing on record does: they are not reproducible."""
        return tuple(key for one in self.outcomes if not one.causes for key in one.changed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "quanta_in_both": self.n_both,
            "differences": [
                {"kind": one.kind, "what": one.what, "before": one.before, "after": one.after, "why": one.why}
                | {"n_quanta": len(one.quanta), "quanta": _plain(one.quanta)}
                for one in self.differences
            ],
            "products": {name: {"compared": n, "differ": m} for name, (n, m) in self.products.items()},
            "outcomes": [
                {"causes": list(one.causes), "quanta": one.n, "products_differ": len(one.changed)}
                for one in self.outcomes
            ],
            "unexplained": _plain(self.unexplained),
        }

    def render(self) -> str:
        """Return the answer as text."""
        lines = [f"{self.before} -> {self.after}: {count(self.n_both, 'quantum', 'quanta')} in both"]
        if self.is_empty:
            return f"{lines[0]}; they are the same in calibrations, settings, software, inputs and products"
        lines += [f"  {one}" for one in self.differences]
        for name, (n, changed) in self.products.items():
            lines.append(f"product {name}: {f'{changed} of {n} differ' if changed else f'all {n} are identical'}")
        for one in self.outcomes:
            if one.causes and one.n:
                came = f"{len(one.changed)} of them with other products" if one.changed else "no product differs"
                lines.append(f"  with other {' + '.join(one.causes)}: {count(one.n, 'quantum', 'quanta')}, {came}")
        if self.unexplained:
            lines.append(
                f"  NOT EXPLAINED: products of {spell_quanta(self.unexplained)} differ, though nothing on record does"
            )
        return "\n".join(lines)


def diff(connection: Connection, before: str, after: str) -> RunDiff:
    """Compare two runs.

    Parameters
    ----------
    connection
        An open transaction.
    before, after
        Names of RUN collections.

    Raises
    ------
    UnknownName, ConflictError
        If one of them does not exist, or is no run.
    """
    a, b = (load_side(connection, name, collection_id(connection, name, "RUN")) for name in (before, after))
    comparison = _Comparison(connection, a, b)
    comparison.compare()
    return comparison.result()


def spell_quanta(quanta: Sequence[Key]) -> str:
    """Name quanta: a single one in full, many by task with the ranges they span."""
    by_task: defaultdict[str, list[Key]] = defaultdict(list)
    for key in quanta:
        by_task[key[0]].append(key)
    return "; ".join(
        f"{f'{len(some)} ' if len(some) > 1 else ''}{task} of {spell_data_ids(data_id for _, data_id in some)}"
        for task, some in sorted(by_task.items())
    )


_Found = tuple[Kind, str, Hashable, Hashable, Hashable]
"""Kind, what, before, after, and what else tells differences apart."""


@dataclass
class _Comparison:
    """Two runs being compared; what differs is collected under a key that says how."""

    connection: Connection
    a: RunSide
    b: RunSide
    found: dict[_Found, list[Key]] = field(default_factory=lambda: defaultdict(list))
    causes: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: set[Key] = field(default_factory=set)
    products: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    @cached_property
    def keys(self) -> Sequence[Key]:
        return in_both(self.a, self.b)

    def compare(self) -> None:
        """Compare all that can differ."""
        self._calibrations()
        self._blobs("config", t.config_blob, lambda side: side.config_id, ("settings.",))
        self._blobs("software", t.software_env, lambda side: side.software_id, ("packages.",))
        self._inputs()
        self._products()
        for key in self.keys:
            old, new = self.a.quanta[key], self.b.quanta[key]
            if old.state != new.state or (old.state != "done" and old.why != new.why):
                self.found["state", "", _ended(old), _ended(new), None].append(key)
        for one, other in ((self.a, self.b), (self.b, self.a)):
            alone = sorted(one.quanta.keys() - other.quanta.keys())
            if alone:
                self.found["only", one.name, "", "", None] = alone

    def result(self) -> RunDiff:
        """Put what was found into words."""
        compared = [one for kind, _, *pair in self.found if kind in {"calibration", "input"} for one in pair[:2]]
        rows = frozenset().union(*map(_rows, compared))
        speaker = _Speaker(
            refs_by_row(self.connection, rows),
            validity_by_id(self.connection, sorted(_validity_ids(self.found))),
            contents(self.connection, rows),
        )
        differences = [one for group in _alike(self.found, speaker) for one in [group.spoken(speaker, len(self.keys))]]
        outcomes: defaultdict[tuple[str, ...], list[Key]] = defaultdict(list)
        for key in self.keys:
            outcomes[tuple(sorted(self.causes.get(key, ())))].append(key)
        return RunDiff(
            self.a.name,
            self.b.name,
            len(self.keys),
            tuple(differences),
            tuple(
                Outcome(causes, len(keys), tuple(key for key in keys if key in self.changed))
                for causes, keys in sorted(outcomes.items(), key=lambda item: (-len(item[1]), item[0]))
            ),
            {name: (n, m) for name, (n, m) in sorted(self.products.items())},
        )

    def _calibrations(self) -> None:
        pairs: defaultdict[tuple[int, int], list[Key]] = defaultdict(list)
        for key in self.keys:
            a, b = self.a.quanta[key], self.b.quanta[key]
            if a.calib_set_id != b.calib_set_id and "skipped" not in {a.state, b.state}:
                pairs[a.calib_set_id, b.calib_set_id].append(key)
        sets = load_sets(self.connection, {number for pair in pairs for number in pair})
        for (old, new), keys in pairs.items():
            for role in sorted({*sets[old], *sets[new]}):
                one, other = sets[old].get(role), sets[new].get(role)
                if one is None or other is None or one.dataset_id != other.dataset_id:
                    self._note(("calibration", role, one, other, None), keys)

    def _blobs(self, kind: Kind, table: Table, which: Callable[[Any], int], prefixes: Sequence[str]) -> None:
        pairs: defaultdict[tuple[int, int], list[Key]] = defaultdict(list)
        for key in self.keys:
            old, new = which(self.a.quanta[key]), which(self.b.quanta[key])
            if old != new:
                pairs[old, new].append(key)
        for (old, new), keys in pairs.items():
            for path, one, other in changed_leaves(self.connection, table, old, new):
                name = next((path.removeprefix(some) for some in prefixes if path.startswith(some)), path)
                self._note((kind, name, _spelled(one), _spelled(other), None), keys)

    def _inputs(self) -> None:
        """Compare what was read, role by role; of roles that only number what is alike ("raw:1"), all at once."""
        others: list[tuple[Key, str, set[int], set[int]]] = []
        for key in self.keys:
            old, new = (side.inputs.get(side.quanta[key].id, {}) for side in (self.a, self.b))
            if old != new and "skipped" not in {self.a.quanta[key].state, self.b.quanta[key].state}:
                for role in sorted({_short_role(name) for name in (*old, *new)}):
                    sets = [{row for name, row in rows.items() if _short_role(name) == role} for rows in (old, new)]
                    others.append((key, role, sets[0] - sets[1], sets[1] - sets[0]))
        content = contents(self.connection, {row for *_, one, other in others for row in (*one, *other)})
        for key, role, one, other in others:
            if {content.get(row, str(row)) for row in one} != {content.get(row, str(row)) for row in other}:
                self._note(("input", role, frozenset(one), frozenset(other), None), [key])

    def _products(self) -> None:
        for key in self.keys:
            old = self.a.outputs.get(self.a.quanta[key].id, {})
            new = self.b.outputs.get(self.b.quanta[key].id, {})
            for kind in old.keys() & new.keys():
                sums = self.products[kind]
                sums[0] += 1
                if old[kind] != new[kind]:
                    sums[1] += 1
                    self.changed.add(key)

    def _note(self, difference: _Found, keys: Sequence[Key]) -> None:
        self.found[difference].extend(keys)
        for key in keys:
            self.causes[key].add(_short_role(difference[1]))


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Knows the names of what is compared."""

    refs: Mapping[int, DatasetRef]
    validity: Mapping[int, ValidityRow]
    content: Mapping[int, str]

    def home(self, one: object) -> tuple[str, ...]:
        """Return the runs of what is compared."""
        return tuple(sorted({self.refs[row].run for row in _rows(one)}))

    def contents(self, rows: frozenset[int]) -> set[str]:
        """Return the hashes of the content of datasets."""
        return {self.content.get(row, str(row)) for row in rows}

    def certified(self, member: Member | None) -> str:
        """Say by whose word a calibration was used."""
        if member is None:
            return ""
        how = " as the nearest, though not valid" if member.match_kind == "nearest" else ""
        if member.validity_id is None:
            return f"found in {member.collection}{how}"
        return f"certified in {member.collection} {self.validity[member.validity_id].certified}{how}"


@dataclass(frozen=True)
class _Group:
    """Differences that one explanation covers: the same role, from one run's datasets to another's."""

    kind: Kind
    what: str
    pairs: Sequence[tuple[Any, Any]]
    why: str
    quanta: tuple[Key, ...]

    def spoken(self, speaker: _Speaker, n_of: int) -> Difference:
        if self.kind not in {"calibration", "input"}:
            ((before, after),) = self.pairs
            return Difference(self.kind, self.what, str(before), str(after), self.why, self.quanta, n_of)
        rows = [[_rows(one) for one in pair] for pair in self.pairs]
        before, after = (_datasets(frozenset().union(*(pair[side] for pair in rows)), speaker) for side in (0, 1))
        same = all(all(pair) and speaker.contents(pair[0]) == speaker.contents(pair[1]) for pair in rows)
        why = f"{self.why} (but of the same content)" if same else self.why
        return Difference(self.kind, self.what, before, after, why, self.quanta, n_of)


def _alike(found: Mapping[_Found, list[Key]], speaker: _Speaker) -> Iterator[_Group]:
    """Group differences: those of many detectors that say the same become one, most quanta first."""
    groups: defaultdict[tuple[Any, ...], list[tuple[_Found, list[Key]]]] = defaultdict(list)
    for difference, keys in found.items():
        kind, what, before, after, _ = difference
        if kind == "calibration":
            homes = speaker.home(before), speaker.home(after)
            groups[kind, what, homes, speaker.certified(cast("Member | None", after))].append((difference, keys))
        elif kind == "input":
            homes = speaker.home(before), speaker.home(after)
            groups[kind, what, homes, ""].append((difference, keys))
        else:
            groups[kind, what, (before, after), ""].append((difference, keys))
    order = {kind: place for place, kind in enumerate((*CAUSES, "state", "only"))}
    lots: defaultdict[tuple[Any, ...], list[tuple[str, list[_Found]]]] = defaultdict(list)
    for (kind, what, homes, why), some in groups.items():
        quanta = tuple(sorted({key for _, keys in some for key in keys}))
        alone = what if kind != "calibration" else ""  # calibrations of several types may share their lot
        lots[kind, alone, homes, why, quanta].append((what, [found for found, _ in some]))
    spoken = [
        _Group(
            kind,
            ", ".join(sorted(name for name, _ in alike)),
            [(d[2], d[3]) for _, some in alike for d in some],
            why,
            keys,
        )
        for (kind, _, _, why, keys), alike in lots.items()
    ]
    return iter(sorted(spoken, key=lambda one: (order[one.kind], -len(one.quanta), one.what, str(one.pairs[0]))))


def _rows(one: object) -> frozenset[int]:
    """Return the rows of datasets, of a member of a set, or of nothing."""
    if isinstance(one, Member):
        return frozenset([one.dataset_id])
    return frozenset() if one is None else cast("frozenset[int]", one)


def _datasets(rows: Iterable[int], speaker: _Speaker) -> str:
    """Name datasets: a single one by its id, several by their number."""
    there = [speaker.refs[row] for row in sorted(rows)]
    if not there:
        return _NOTHING
    runs = ", ".join(sorted({ref.run for ref in there}))
    return f"{there[0].short} ({runs})" if len(there) == 1 else f"{len(there)} of {runs}"


def _validity_ids(found: Mapping[_Found, object]) -> set[int]:
    members = [one for difference in found for one in difference[2:4] if isinstance(one, Member)]
    return {one.validity_id for one in members if one.validity_id is not None}


def _short_role(role: str) -> str:
    """Return a role without what numbers it: "raw" of "raw:20260301001"."""
    return role.partition(":")[0]


def _spelled(value: Any) -> str:
    return _NOTHING if value is None else str(value)


def _ended(side: Any) -> str:
    return f"{side.state} ({side.why})" if side.why and side.state != "done" else str(side.state)


def _plain(quanta: Sequence[Key]) -> list[dict[str, Any]]:
    return [{"task": task, **data_id.to_dict()} for task, data_id in quanta]
