"""Recipes as the registry stores them: a recipe's name and all of its settings, in JSON that has one spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from isrflow.errors import ConfigError
from isrflow.quantum.filters import with_physical_filters

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera
    from isrflow.steps.recipe_base import Recipe


CHOICE = "recipe"
"""Key under which a layer of settings says which recipe it is for."""
RECIPES = {"classic": "IsrConfig", "lsst": "IsrLsstConfig"}
"""The recipes by the names users call them by: the classic order, and the newer one of the Rubin observatory."""


def recipe_class(name: str) -> type[Recipe]:
    """Return the recipe class of that name, which may be that of `RECIPES`.

    Raises
    ------
    ConfigError
        If this version of isrflow has none.
    """
    from isrflow.recipe import IsrConfig
    from isrflow.recipe_lsst import IsrLsstConfig

    classes: dict[str, type[Recipe]] = {"IsrConfig": IsrConfig, "IsrLsstConfig": IsrLsstConfig}
    found = classes.get(RECIPES.get(name, name))
    if found is None:
        raise ConfigError(f"this version of isrflow has no recipe {name!r} (it has {', '.join(RECIPES)})")
    return found


def recipe_for(camera: Camera | None, *layers: Mapping[str, Any]) -> Recipe:
    """Return the recipe of an instrument: defaults < the camera's settings < each of `layers`.

    A layer may say under the key ``recipe`` which recipe it is for (``classic`` or ``lsst``), and so may the camera's
    own settings. The last word counts; layers before it that were for another recipe are left out, and of the camera
    the settings for the chosen recipe are taken.

    Raises
    ------
    ConfigError
        If there is no such recipe, or a setting is unknown or impossible; all are listed, the nearest names with them.
    """
    of_camera: dict[type[Recipe], Mapping[str, Any]] = {}
    chosen = recipe_class("classic")
    if camera is not None:
        chosen = recipe_class(str(camera.recipe.get(CHOICE, "classic")))
        of_camera = {recipe_class("lsst"): camera.recipe_lsst} | {chosen: camera.recipe}
    kept = [_settings(of_camera.get(chosen, {}))]
    for layer in layers:
        wanted = recipe_class(str(layer[CHOICE])) if CHOICE in layer else chosen
        if wanted is not chosen:
            chosen, kept = wanted, [_settings(of_camera.get(wanted, {}))]
        kept.append(_settings(layer))
    recipe = chosen.layered(*kept)
    if camera is not None:
        _refuse_unknown_places(recipe, camera)
        recipe = with_physical_filters(recipe, camera)
    return recipe


def _refuse_unknown_places(recipe: Recipe, camera: Camera) -> None:
    """Raise `ConfigError` if settings speak of detectors or amplifiers the camera does not have; lists them all."""
    from isrflow.steps.exceptions import ExceptionsConfig

    problems = []
    for row in recipe.rows:
        config = getattr(recipe, row.name)
        known = config.places_in(camera) if isinstance(config, ExceptionsConfig) and config.exceptions else frozenset()
        for place in config.exceptions if known else ():
            near = get_close_matches(place, sorted(known), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems += [] if place in known else [f"{row.name}.exceptions: {camera.name} has no {place!r}{hint}"]
    if problems:
        raise ConfigError("; ".join(problems), fix="a place is DETECTOR, DETECTOR/AMPLIFIER or */AMPLIFIER")


def _settings(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer without its choice of a recipe."""
    return {key: value for key, value in layer.items() if key != CHOICE}


def config_of(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as the registry stores it; NaN and infinities become texts, which JSON can hold."""
    settings = {row.name: getattr(recipe, row.name).model_dump(mode="python") for row in recipe.rows}
    return {"recipe": type(recipe).__name__, "settings": _jsonable(settings)}


def recipe_from(config: Mapping[str, Any]) -> Recipe:
    """Return the recipe that `config_of` described, in this version or an earlier one.

    Steps that were added since then are switched off, for the results that were described had not seen them.

    Raises
    ------
    ConfigError
        If its class or a setting no longer exists.
    """
    recipe, stored = recipe_class(str(config["recipe"])), config["settings"]
    later = {f"{row.name}.enabled": False for row in recipe.rows if row.name not in stored}
    return recipe.layered(later, stored)


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of what `config_of` (or a maker) described that can change a result: what is switched on."""
    settings = {step: values for step, values in config["settings"].items() if values.get("enabled", True)}
    return {**config, "settings": settings}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_jsonable(item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
