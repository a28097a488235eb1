"""What differs between two runs, and so why their products do: grouped to the smallest explanation.

Quanta of the same task and data id are compared: the calibrations they used, their configuration, the software, the
data they read, how they ended, and the content of what they made. Two datasets with the same content are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from registry.questions.comparing import Comparison, Kind
from registry.questions.grouping import group
from registry.questions.pairs import Key, load_side
from registry.resolution import spell_data_ids
from registry.sql.collections import collection_id
from registry.words import count


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
        if self.is_empty and not self.n_both:
            return f"{lines[0]}; neither holds any work to compare"
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
    comparison = Comparison(connection, a, b)
    comparison.compare()
    return _told(connection, comparison)


def spell_quanta(quanta: Sequence[Key]) -> str:
    """Name quanta: a single one in full, many by task with the ranges they span."""
    by_task: defaultdict[str, list[Key]] = defaultdict(list)
    for key in quanta:
        by_task[key[0]].append(key)
    return "; ".join(
        f"{f'{len(some)} ' if len(some) > 1 else ''}{task} of {spell_data_ids(data_id for _, data_id in some)}"
        for task, some in sorted(by_task.items())
    )


def _told(connection: Connection, comparison: Comparison) -> RunDiff:
    """Put what was found into words."""
    keys, n_both = comparison.keys, comparison.n_both
    differences = [
        Difference(one.kind, one.what, one.before, one.after, one.why, tuple(keys[p] for p in one.places), n_both)
        for one in group(connection, comparison.found)
    ]
    outcomes: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(n_both):
        outcomes[tuple(sorted(comparison.causes.get(place, ())))].append(place)
    return RunDiff(
        comparison.a.name,
        comparison.b.name,
        n_both,
        tuple(differences),
        tuple(
            Outcome(causes, len(places), tuple(keys[place] for place in places if place in comparison.changed))
            for causes, places in sorted(outcomes.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
        {name: (n, m) for name, (n, m) in sorted(comparison.products.items())},
    )


def _plain(quanta: Sequence[Key]) -> list[dict[str, Any]]:
    return [{"task": task, **data_id.to_dict()} for task, data_id in quanta]
