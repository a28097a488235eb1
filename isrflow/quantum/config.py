"""Recipes as the registry stores them: a recipe's name and all of its settings, in JSON that has one spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isrflow.errors import ConfigError

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera
    from isrflow.steps.recipe_base import Recipe


def recipe_class(name: str) -> type[Recipe]:
    """Return the recipe class of that name.

    Raises
    ------
    ConfigError
        If this version of isrflow has none.
    """
    from isrflow import recipe as recipes
    from isrflow.steps.recipe_base import Recipe

    found = getattr(recipes, name, None)
    if isinstance(found, type) and issubclass(found, Recipe) and found is not Recipe:
        return found
    raise ConfigError(f"this version of isrflow has no recipe {name!r}")


def recipe_for(camera: Camera, *layers: Mapping[str, Any], recipe: str = "IsrConfig") -> Recipe:
    """Return the recipe of an instrument: defaults < the camera's settings < each of `layers`.

    Raises
    ------
    ConfigError
        If a setting is unknown or impossible; all are listed, the nearest names with them.
    """
    return recipe_class(recipe).layered(camera.recipe, *layers)


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
