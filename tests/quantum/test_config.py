from __future__ import annotations

import json

import pytest

from isrflow.errors import ConfigError
from isrflow.frame.camera import load_camera
from isrflow.quantum.config import config_of, recipe_for, recipe_from
from isrflow.recipe import IsrConfig
from registry.canonical import canonical_json


@pytest.mark.parametrize(
    "settings",
    [{}, {"dark.enabled": False}, {"saturation.level_adu": float("nan")}, {"overscan": {"order": 3}}],
    ids=["defaults", "switched off", "not a number", "nested"],
)
def test_a_recipe_survives_the_registry(settings):
    try:
        recipe = IsrConfig.layered(settings)
    except ConfigError:
        pytest.skip("the step has no such setting")
    stored = canonical_json(config_of(recipe))
    assert recipe_from(json.loads(stored)).digest() == recipe.digest()


def test_what_an_earlier_version_stored_is_read_as_it_was_meant():
    stored = json.loads(canonical_json(config_of(IsrConfig.layered({"overscan.order": 4}))))
    later = ("statistics", "interpolation")  # as if these rows had been added since
    for step in later:
        del stored["settings"][step]
    recipe = recipe_from(stored)
    assert recipe.overscan.order == 4
    assert not any(getattr(recipe, step).enabled for step in later)
    assert recipe.digest() == IsrConfig.layered({"overscan.order": 4}).without(later).digest()


def test_layers_go_from_defaults_over_the_instrument_to_the_user():
    camera = load_camera("tiny")
    instrument = camera.model_copy(update={"recipe": {"dark": {"enabled": False}, "edges.enabled": True}})
    assert recipe_for(instrument).dark.enabled is False
    mine = recipe_for(instrument, {"dark.enabled": True}, {"dark.enabled": False}, {"dark.enabled": True})
    assert (mine.dark.enabled, mine.edges.enabled) == (True, True)


def test_a_recipe_this_version_does_not_have_is_refused_by_name():
    with pytest.raises(ConfigError, match="no recipe 'IsrFancyConfig'"):
        recipe_from({"recipe": "IsrFancyConfig", "settings": {}})
    with pytest.raises(ConfigError, match="no recipe 'Recipe'"):
        recipe_from({"recipe": "Recipe", "settings": {}})
