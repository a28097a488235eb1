"""Why this calibration, and why not that one."""

from __future__ import annotations

import json

import pytest

from registry.dimensions import DetectorRecord, ExposureRecord, InstrumentRecord
from registry.errors import UnknownName
from registry.explain import explain
from registry.refs import DataId
from registry.remedies import obtain
from registry.sql.collections import register_collection
from registry.sql.exposures import insert_exposures, register_instrument
from registry.sql.flags import set_flag
from registry.sql.notes import mark
from registry.times import parse_time
from tests.registry.world import World


@pytest.fixture
def world(tmp_path, engine_kind):
    with World(tmp_path, engine_kind) as one:
        one.expose(1, 50, 60, "r")
        with one.write() as connection:
            for name in ("calib", "other", "scratch"):
                register_collection(connection, name, "CALIBRATION")
        yield one


def ask(world, kind="flat", path=("calib", "other"), **options):
    with world.read() as connection:
        return explain(connection, 1, 0, kind, path, **options)


def test_every_candidate_is_ranked_with_the_first_criterion_it_fails(world):
    names = ["chosen", "shadowed", "revoked", "far", "near", "out", "green", "loose", "gone"]
    refs = {name: world.calib(f"run/{name}", "flat", 0, "g" if name == "green" else "r") for name in names}
    world.certify(refs["revoked"], 45, 65, reason="test")
    world.decertify(refs["revoked"], 45, 65, reason="stray light")
    world.certify(refs["chosen"], 45, 65)
    world.certify(refs["shadowed"], 45, 65, "other")
    world.certify(refs["far"], 0, 10)
    world.certify(refs["near"], 70, 80)
    world.certify(refs["green"], 0, 100)
    world.certify(refs["out"], 0, 100, "scratch")
    world.certify(refs["gone"], 65, 70)
    world.sql("UPDATE dataset SET status = 'PURGED' WHERE uuid = ?", refs["gone"].id.hex)
    explanation = ask(world)
    run_of = {ref.short: name for name, ref in refs.items()}
    assert explanation.chosen.ref == refs["chosen"]
    assert [(run_of[one.short], one.code) for one in explanation.candidates] == [
        ("chosen", "CHOSEN"),
        ("shadowed", "SHADOWED"),
        ("revoked", "REVOKED"),
        ("near", "GAP"),
        ("far", "GAP"),
        ("out", "COLLECTION_NOT_IN_PATH"),
        ("loose", "NEVER_CERTIFIED"),
        ("green", "FILTER_MISMATCH"),
        ("gone", "GAP"),
    ]
    by_name = {run_of[one.short]: one for one in explanation.candidates}
    assert by_name["revoked"].detail.endswith("(stray light)")
    assert by_name["shadowed"].detail == "an earlier collection, calib, has one"
    assert by_name["gone"].others == ("NOT_LIVE",)
    assert explanation.fix == ""


def test_the_text_names_the_choice_the_candidates_and_the_nearest_fix(world):
    ref = world.calib("run/1", "flat", 0, "r")
    world.certify(ref, 0, 100, "scratch")
    lines = ask(world).render().splitlines()
    assert lines[0] == "flat for lupine exposure=1 detector=0 (filter r, mid-exposure 1969-12-31T23:59:50.000 UTC)"
    assert lines[1:3] == ["searched: calib, other", "chosen: none"]
    assert lines[3].split()[:3] == ["1", ref.short, "scratch"]
    assert lines[-1].startswith(f"fix: isrflow calibs certify {ref.short} --begin 1969-12-31T23:59:50.")
    assert lines[-1].endswith(" --collection calib; or isrflow calibs build flat --night 20260301")


def test_the_command_that_certifies_keeps_clear_of_what_is_certified_around_the_exposure(world):
    before, after, loose = (world.calib(f"run/{i}") for i in range(3))
    begin, end = parse_time("2026-03-01T05:00:00.5"), parse_time("2026-03-03")
    world.expose(77, parse_time("2026-03-01T06:00"), parse_time("2026-03-01T06:01"))
    world.certify(before, begin - 10**15, begin)
    world.certify(after, end, end + 10**15)
    with world.read() as connection:
        fixes = {one.short: one.fix for one in explain(connection, 77, 0, "bias", ["calib"]).candidates}
    command = "--begin 2026-03-01T05:00:00.500 --end 2026-03-03 --collection calib"
    assert fixes[loose.short] == f"isrflow calibs certify {loose.short} {command}"
    world.certify(loose, begin, end)


def test_nothing_at_all_says_so_and_how_to_make_it(world):
    text = ask(world).render()
    assert "chosen: none; there is no flat for it at all" in text
    assert text.endswith("fix: isrflow calibs build flat --night 20260301")


def test_an_uncertified_calibration_suggests_certifying_it(world):
    ref = world.calib("run/1")
    assert f"isrflow calibs certify {ref.short} --begin 1969-12-31T23:59:50." in ask(world, "bias").fix


def test_a_calibration_of_a_run_on_the_path_is_chosen(world):
    ref = world.calib("run/1")
    explanation = ask(world, "bias", ("run/1", "calib"))
    assert [one.code for one in explanation.candidates] == ["CHOSEN"]
    assert explanation.chosen.ref == ref


def test_the_past_is_explained_as_it_was(world):
    ref = world.calib("run/1")
    world.certify(ref, 0, 100)
    world.decertify(ref, 0, 100)
    assert ask(world, "bias").candidates[0].code == "REVOKED"
    assert ask(world, "bias", as_of=1).candidates[0].code == "CHOSEN"
    assert ask(world, "bias", as_of=0).candidates[0].code == "NOT_YET_CERTIFIED"


def test_a_long_list_is_cut_and_says_so(world):
    for i in range(8):
        world.certify(world.calib(f"run/{i}"), 100 + i, 101 + i)
    text = ask(world, "bias").render(limit=3)
    assert "and 5 more remote ones" in text


def test_a_straddle_is_told(world):
    world.certify(world.calib("run/1"), 0, 58)
    assert "warning: STRADDLE" in ask(world, "bias").render()


def test_the_explanation_is_plain_json_too(world):
    world.certify(world.calib("run/1"), 0, 100)
    plain = json.loads(json.dumps(ask(world, "bias").to_dict()))
    assert plain["candidates"][0]["code"] == "CHOSEN"
    assert plain["chosen"] == plain["candidates"][0]["dataset"]


def test_what_is_asked_about_must_exist_and_be_one(world):
    with world.read() as connection:
        with pytest.raises(UnknownName, match="no exposure '77'"):
            explain(connection, 77, 0, "bias", ["calib"])
        with pytest.raises(UnknownName, match="no dataset type 'bais'; did you mean 'bias'"):
            explain(connection, 1, 0, "bais", ["calib"])
        with pytest.raises(UnknownName, match="no detector 7"):
            explain(connection, 1, 7, "bias", ["calib"])
    with world.write() as connection:
        register_instrument(connection, InstrumentRecord("fox"), [DetectorRecord("fox", 0, "A")], [])
        twin = ExposureRecord("fox", 1, "obs-1", 20260301, 1, None, "science", "", 50, 60, 30.0)
        insert_exposures(connection, [twin])
    with world.read() as connection:
        with pytest.raises(UnknownName, match="exists for several instruments: fox, lupine; name one"):
            explain(connection, 1, 0, "bias", ["calib"])
        assert explain(connection, 1, 0, "bias", ["calib"], instrument="fox").chosen is None


def test_what_is_not_made_of_raws_is_brought_in():
    assert obtain("bfk", 20260301) == "isrflow calibs import bfk FILES"
    assert obtain("flat", 20260301) == "isrflow calibs build flat --night 20260301"


def test_marks_and_flags_are_told_with_who_and_why(world):
    ref = world.calib("run/1")
    world.certify(ref, 0, 100)
    with world.write() as connection:
        mark(connection, [ref], "bad", actor="eve", reason="light leak")
        set_flag(connection, [DataId("lupine", 1, 0)], "suspect", actor="ada", reason="clouds")
    explanation = ask(world, "bias")
    assert (explanation.chosen, explanation.candidates[0].code) == (None, "MARKED")
    assert explanation.candidates[0].detail.startswith("it was marked bad by eve at 20")
    assert explanation.candidates[0].detail.endswith("(light leak)")
    assert explanation.fix.startswith(f"isrflow unrecall {ref.short} --reason WHY")
    assert "\nthe exposure is flagged suspect by ada on 20" in explanation.render()
    assert ask(world, "bias", as_of=1).candidates[0].code == "CHOSEN"
    assert ask(world, "bias", as_of=1).flags == ()


def test_what_is_certified_there_but_cannot_be_used_has_to_be_replaced(world):
    gone, other = world.calib("run/gone"), world.calib("run/other")
    world.certify(gone, 0, 100)
    world.sql("UPDATE dataset SET status = 'MISSING' WHERE uuid = ?", gone.id.hex)
    fixes = {one.short: one.fix for one in ask(world, "bias").candidates}
    assert fixes[other.short].endswith("--collection calib --mode replace")
