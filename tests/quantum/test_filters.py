import pytest
from pydantic import ValidationError

from isrflow import load_camera
from isrflow.errors import ConfigError
from isrflow.quantum.config import recipe_for
from isrflow.recipe import IsrConfig

TINY = load_camera("tiny")


def test_a_band_stands_for_its_physical_filters() -> None:
    recipe = recipe_for(TINY, {"fringe.filters": ["r"]})
    assert recipe.fringe.filters == ("r_01",)
    assert recipe.needed_by("fringe", TINY.detector("A"), "r_01") == ("fringe",)
    assert recipe.needed_by("fringe", TINY.detector("A"), "g_01") == ()


def test_filters_the_camera_does_not_have_are_refused_together() -> None:
    settings = {"fringe.filters": ["r_1"], "stray_light": {"enabled": True, "filters": ["y"]}}
    with pytest.raises(ConfigError, match=r"stray_light.filters: tiny has no filter 'y'") as caught:
        recipe_for(TINY, settings)
    assert "no filter 'r_1'; did you mean 'r_01'?" in str(caught.value)
    assert "r_01 (band r)" in str(caught.value)


def test_a_plan_looks_for_no_fringes_of_exposures_through_other_filters() -> None:
    recipe = recipe_for(TINY, {"fringe.filters": ["r"], "illumination": {"enabled": True, "filters": ["g"]}})
    detector = TINY.detector("A")
    through_r, through_g = (recipe.needs(detector, name, bands_are_spelled=True) for name in ("r_01", "g_01"))
    assert (through_r.get("fringe"), through_r.get("illumination")) == (True, None)
    assert (through_g.get("fringe"), through_g.get("illumination")) == (None, True)
    assert "fringe" in recipe.needs(detector, "g_01")


def test_filters_of_steps_that_are_off_are_left_alone() -> None:
    assert recipe_for(TINY, {"stray_light.filters": ["y"]}).stray_light.filters == ("y",)


def test_one_name_is_a_list_of_one_and_commas_separate_several() -> None:
    assert IsrConfig.layered({"fringe.filters": "y"}).fringe.filters == ("y",)
    assert IsrConfig.layered({"fringe.filters": "z, y"}).fringe.filters == ("z", "y")


def test_a_list_of_something_else_is_still_refused() -> None:
    with pytest.raises(ConfigError, match=r"fringe\.filters"):
        IsrConfig.layered({"fringe.filters": 3})
    with pytest.raises(ValidationError):
        IsrConfig(fringe={"filters": [1]})
