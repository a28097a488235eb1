"""Doing without: steps whose calibration is missing, where a policy of the repository lets work go on all the same.

A quantum is planned only with all that it requires, or with what a policy calls optional left out. So what it lacks
when it is run was waived, and the steps that need it are switched off; the header of the product says which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isrflow.frame.exposure import Exposure
    from isrflow.steps.recipe_base import Recipe


def waive(recipe: Recipe, raw: Exposure, calibs: Collection[str]) -> tuple[Recipe, dict[str, str]]:
    """Switch off the steps that need a calibration which is not there.

    Returns
    -------
    tuple
        The recipe, and the header cards that say what was done without: none if nothing was.
    """
    detector, physical_filter = raw.detector, raw.obs.physical_filter
    lacking = [kind for kind, required in recipe.needs(detector, physical_filter).items() if required]
    lacking = sorted(kind for kind in lacking if kind not in calibs)
    if not lacking:
        return recipe, {}
    steps = [step for kind in lacking for step in recipe.needed_by(kind, detector, physical_filter)]
    cards: Mapping[str, str] = {"ISRFLOW WITHOUT": ",".join(lacking)}
    return recipe.without(dict.fromkeys(steps)), dict(cards)
