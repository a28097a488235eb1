"""Masters in another unit than a recipe works in: told when work is planned, not only when it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.repo import Repo
from isrflow.calibs.stated import stated_unit
from registry.refs import DatasetRef, QuantumSpec

if TYPE_CHECKING:
    from isrflow.steps.recipe_base import Recipe

_ADU = "adu"


def unit_warnings(repo: Repo, recipe: Recipe, specs: Sequence[QuantumSpec]) -> list[str]:
    """Return a warning for each kind and run of masters that are in another unit than the recipe expects.

    The masters of a kind in a run were made alike, so one of them is read; nothing is for a recipe in adu, which the
    masters it asks about are in.
    """
    comparison = getattr(recipe, "comparison", None)
    if comparison is None or not comparison.enabled or comparison.unit == _ADU:
        return []
    sample: defaultdict[tuple[str, str], DatasetRef] = defaultdict()
    for spec in specs:
        for kind, match in spec.calibs:
            if kind in comparison.unit_of:
                sample.setdefault((kind, match.ref.run), match.ref)
    told = []
    for (kind, run), ref in sorted(sample.items()):
        unit = stated_unit(repo.butler.get(ref))
        if unit != comparison.unit:
            told.append(
                f"{kind} of {run} is in {unit}, this recipe works in {comparison.unit}: build it with the same --recipe"
            )
    return told
