"""Filters in settings: checked against the camera, bands spelled out: plans and steps agree on what is meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from isrflow.errors import ConfigError

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera
    from isrflow.steps.recipe_base import Recipe


def with_physical_filters(recipe: Recipe, camera: Camera) -> Recipe:
    """Return a recipe whose settings ``filters`` name physical filters only; a band stands for all of its filters.

    Raises
    ------
    ConfigError
        If an enabled step is for filters the camera does not have; all are listed.
    """
    if not camera.filters:
        return recipe
    known = {item.name for item in camera.filters} | {item.band for item in camera.filters if item.band}
    problems, spelled = [], {}
    for row, config in recipe.enabled_rows():
        given: Sequence[str] = getattr(config, "filters", ())
        problems += [_unknown(row.name, name, known, camera) for name in given if name not in known]
        full = tuple(item.name for item in camera.filters if item.name in given or (item.band and item.band in given))
        if full and set(full) != set(given):
            spelled[f"{row.name}.filters"] = full
    if problems:
        listed = ", ".join(f"{item.name} (band {item.band})" if item.band else item.name for item in camera.filters)
        raise ConfigError("; ".join(problems), fix=f"{camera.name} has {listed}")
    return recipe.override(spelled) if spelled else recipe


def _unknown(step: str, name: str, known: set[str], camera: Camera) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"{step}.filters: {camera.name} has no filter {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
