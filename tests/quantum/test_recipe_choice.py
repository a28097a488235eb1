"""Which recipe is used: the last layer that says so decides, and brings the camera's settings for it."""

import pytest

from isrflow.errors import ConfigError
from isrflow.frame.camera import load_camera
from isrflow.quantum.config import config_of, recipe_for, recipe_from
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig

TINY = load_camera("tiny").model_copy(
    update={"recipe": {"dark": {"enabled": False}}, "recipe_lsst": {"bias.enabled": False}}
)


def test_without_a_word_the_recipe_is_the_classic_one() -> None:
    recipe = recipe_for(TINY)
    assert isinstance(recipe, IsrConfig)
    assert not recipe.dark.enabled


def test_a_layer_chooses_the_newer_order_and_the_cameras_settings_for_it() -> None:
    recipe = recipe_for(TINY, {"recipe": "lsst", "trails.enabled": True})
    assert isinstance(recipe, IsrLsstConfig)
    assert recipe.dark.enabled
    assert not recipe.bias.enabled
    assert recipe.trails.enabled


def test_settings_of_a_repository_for_another_recipe_are_left_out() -> None:
    repository, user = {"overscan.order": 3}, {"recipe": "lsst"}
    assert isinstance(recipe_for(TINY, repository, user), IsrLsstConfig)
    assert isinstance(recipe_for(TINY, {"recipe": "lsst"}, {"recipe": "classic", "overscan.order": 3}), IsrConfig)


def test_later_layers_follow_the_choice_of_earlier_ones() -> None:
    recipe = recipe_for(TINY, {"recipe": "lsst"}, {"dither.mode": "NONE"})
    assert recipe.dither.mode == "NONE"


def test_a_camera_may_be_for_the_newer_order() -> None:
    camera = TINY.model_copy(update={"recipe": {"recipe": "lsst", "dither": {"mode": "NONE"}}})
    assert recipe_for(camera).dither.mode == "NONE"
    assert recipe_for(camera, {"recipe": "classic"}) == IsrConfig()
    assert recipe_for(camera, {"recipe": "classic"}, {"recipe": "lsst"}).dither.mode == "NONE"


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'newest' .it has classic, lsst"):
        recipe_for(None, {"recipe": "newest"})


def test_settings_for_amplifiers_the_camera_does_not_have_are_refused() -> None:
    exceptions = {"A": {}, "*/L": {}, "A/L": {"use": False}, "A/LL": {}, "C": {}}
    with pytest.raises(
        ConfigError, match=r"overscan_serial.exceptions: tiny has no 'A/LL'; did you mean 'A/L'.* no 'C'"
    ):
        recipe_for(TINY, {"recipe": "lsst", "overscan_serial.exceptions": exceptions})


def test_what_the_registry_stores_of_the_newer_recipe_comes_back() -> None:
    exceptions = {"R22": {"level_adu": float("nan")}, "*/C07": {"suspect_level_adu": 5.0}}
    recipe = IsrLsstConfig.layered({"saturation.exceptions": exceptions})
    assert recipe_from(config_of(recipe)).digest() == recipe.digest()
