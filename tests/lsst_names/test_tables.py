"""Every row of the tables leads somewhere, and the defaults of both sides agree."""

import pytest

from isrflow.lsst_names.classic import CLASSIC
from isrflow.lsst_names.names import same
from isrflow.lsst_names.newer import NEWER
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig

TIED = {"doBootstrap", "doSaturation"}
"""Names of the newer task that may be changed only together with several others."""
UNTYING = {
    "doApplyGains": {"doFlat": False},
    "ampOffset.doApplyAmpOffset": {"doAmpOffset": True},
}
"""Names that may be changed only together with others."""
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


def another(name):
    """Another value that the name may have; None if there is none to be found easily."""
    tries = {
        "bool": [not name.default],
        "int": [name.default + 2, 1, 2] if name.kind == "int" else [],
        "float": [name.default + 0.25, 0.5] if name.kind == "float" and name.default is not None else [0.5],
        "texts": [["CR", "SAT"]],
        "numbers": [[1.0, 2.0]],
    }.get(name.kind, [])
    limits = name.limit.text.removeprefix("one of ").split(", ") if name.limit else []
    return next((v for v in (*tries, *limits) if v != name.default and name.problem(v) is None), None)


def test_every_name_changes_the_settings_it_is_said_to_change_and_no_others(table, recipe) -> None:
    plain = recipe.from_lsst({}).model_dump()
    tried = 0
    for name in table.names:
        value = another(name)
        if name.effect != "setting" or value is None or name.lsst in TIED:
            continue
        given = {name.lsst: value, **UNTYING.get(name.lsst, {})}
        base = plain if len(given) == 1 else recipe.from_lsst(UNTYING[name.lsst]).model_dump()
        made = recipe.from_lsst(given).model_dump()
        changed = {
            f"{row}.{key}"
            for row, settings in made.items()
            for key, setting in settings.items()
            if not same(setting, base[row][key])
        }
        assert changed <= set(name.ours), name.lsst
        direct = [ours for ours in name.ours if ours not in table.rules]
        for ours in direct:
            row, _, key = ours.partition(".")
            assert same(made[row][key], value), name.lsst
        tried += bool(changed)
    assert tried > 50
