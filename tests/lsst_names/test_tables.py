"""Every row of the tables leads somewhere, and the defaults of both sides agree."""

import pytest

from isrflow.lsst_names.classic import CLASSIC
from isrflow.lsst_names.newer import NEWER
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig

RECIPES = [(CLASSIC, IsrConfig), (NEWER, IsrLsstConfig)]
"""Tables of names, and the recipe each leads to."""

pytestmark = pytest.mark.parametrize(("table", "recipe"), RECIPES, ids=[table.task for table, _ in RECIPES])


def test_every_setting_of_ours_exists(table, recipe) -> None:
    known = {f"{row.name}.{field}" for row in recipe.rows for field in row.config_type.model_fields}
    assert {ours for name in table.names for ours in name.ours} <= known


def test_settings_that_several_names_decide_have_a_rule(table, recipe) -> None:
    ours = [setting for name in table.names for setting in name.ours]
    assert {setting for setting in ours if ours.count(setting) > 1} <= set(table.rules)
    assert set(table.rules) <= set(ours)


def test_no_name_stands_twice_and_defaults_are_possible(table, recipe) -> None:
    assert len({name.lsst for name in table.names}) == len(table.names)
    assert [name.problem(name.default) for name in table.names if name.problem(name.default)] == []


def test_the_defaults_of_the_reference_are_those_of_the_recipe(table, recipe) -> None:
    assert recipe.from_lsst({}).changes() == {}


def test_giving_every_default_changes_nothing_and_warns_of_nothing(table, recipe, caplog) -> None:
    given = {name.lsst: name.default for name in table.names if not name.lsst.endswith(".*")}
    assert recipe.from_lsst(given).changes() == {}
    assert caplog.messages == []


def test_every_name_leads_somewhere_does_nothing_or_says_why_it_is_refused(table, recipe) -> None:
    settings = [name.lsst for name in table.names if name.effect == "setting" and not name.ours]
    silent = [name.lsst for name in table.names if name.effect != "setting" and not name.note]
    assert (settings, silent) == ([], [])
