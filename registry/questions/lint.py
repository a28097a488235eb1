"""Looking calibrations over: what is wrong, or will be, and what to type next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from sqlalchemy import Connection

from registry.errors import UnknownName
from registry.questions import lint_use, lint_validity
from registry.questions.findings import RULES, SEVERITIES, Finding, Lint
from registry.questions.lint_validity import Scene
from registry.sql.collections import flatten
from registry.sql.dataset_types import dataset_types

Rule = Callable[[Scene], Iterator[Finding]]
CHECKS: tuple[Rule, ...] = (
    lint_validity.gaps,
    lint_validity.edges,
    lint_validity.shadowed,
    lint_validity.marked_certified,
    lint_use.bad_parents,
    lint_use.fallbacks,
    lint_use.mixed_runs,
    lint_use.never_used,
)
"""Everything that is done; each gives findings of one or several rules."""


def lint(connection: Connection, collections: Sequence[str], *, ignore: Collection[str] = ()) -> Lint:
    """Look over the calibrations along a search path, and how they were used.

    Parameters
    ----------
    connection
        An open transaction.
    collections
        Where calibrations are looked for, in order; chains are opened.
    ignore
        Rules that shall not be told of.

    Raises
    ------
    UnknownName
        If a collection or a rule does not exist.
    """
    unknown = sorted(set(ignore) - RULES.keys())
    if unknown:
        raise UnknownName(kind="rule", name=", ".join(unknown), known=list(RULES))
    types = [name for name, row in dataset_types(connection).items() if row.type.is_calibration]
    scene = Scene(connection, flatten(connection, collections), types)
    found = [one for check in CHECKS for one in check(scene) if one.rule not in ignore]
    order = list(RULES)
    found.sort(key=lambda one: (SEVERITIES.index(one.severity), order.index(one.rule), one.what, one.where))
    looked_at = {"ranges of validity": len(scene.rows), "science exposures": len(scene.shots)}
    return Lint(tuple(found), [one.name for one in scene.path], looked_at)
