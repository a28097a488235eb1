"""Every rule of lint on a scene that breaks it, and on one that does not."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from registry.errors import UnknownName
from registry.questions.lint import lint
from registry.refs import DataId, Match, Policy
from registry.sql import tables as t
from registry.sql.collections import register_collection
from registry.sql.flags import set_flag
from registry.sql.notes import mark
from registry.sql.policies import set_policy

D0 = DataId("lupine", detector=0)


def ask(world, *path, ignore=("NEVER_USED", "EDGE_FORECAST")):
    with world.read() as connection:
        return lint(connection, path or ("calib",), ignore=ignore)


def rules(world, *path, **options):
    return [(one.rule, one.severity) for one in ask(world, *path, **options).findings]


def test_a_whole_world_has_nothing_to_complain_of(world, work):
    work.raw(1)
    world.certify(world.calib("calibs/1"), 0, 1000)
    found = ask(world)
    assert found.worst is None
    assert found.render() == "searched calib: 1 ranges of validity, 1 science exposures\nnothing to complain of"


def test_a_gap_is_a_warning_and_an_error_if_exposures_lie_in_it(world, work):
    world.certify(world.calib("calibs/1"), 0, 20)
    world.certify(world.calib("calibs/3"), 40, 1000)
    assert rules(world) == [("GAP", "warning")]
    work.raw(3)  # mid-exposure at 31
    (one,) = ask(world).findings
    assert (one.severity, one.what, one.fix) == ("error", "bias", "isrflow calibs build bias --night 20260301")
    assert "1 science exposure of night 20260301 in it" in one.why


def test_another_collection_of_the_path_fills_a_gap(world, work):
    world.certify(world.calib("calibs/1"), 0, 20)
    world.certify(world.calib("calibs/3"), 40, 1000)
    world.certify(world.calib("calibs/2"), 15, 45, collection="spare")
    assert rules(world, "calib", "spare") == []


def test_exposures_after_the_last_validity_are_in_a_gap_too(world, work):
    world.certify(world.calib("calibs/1"), 0, 20)
    assert rules(world) == []  # it ended, and nobody misses it
    work.raw(3)
    assert rules(world) == [("GAP", "error")]
    flat = world.calib("calibs/1", "flat", 0, "g")
    world.certify(flat, 0, 20)
    assert rules(world) == [("GAP", "error")]  # there is no exposure through g


def test_an_edge_inside_an_exposure_and_between_those_of_a_night(world, work):
    work.raw(1)
    work.raw(2)
    world.certify(world.calib("calibs/1"), 0, 11)
    world.certify(world.calib("calibs/2"), 11, 1000)
    assert rules(world) == [("EDGE_IN_EXPOSURE", "warning")]  # exposure 1 lasts from 10 to 12
    world.certify(world.calib("calibs/1", detector=1), 0, 15)
    world.certify(world.calib("calibs/2", detector=1), 15, 1000)
    (one,) = [one for one in ask(world).findings if one.rule == "EDGE_IN_NIGHT"]
    assert one.data_ids == (DataId("lupine", detector=1),)
    assert one.why == "it parts night 20260301: 1 exposures before it and 1 after differ in it"


def test_a_row_that_an_earlier_collection_covers_is_shadowed(world, work):
    world.certify(world.calib("calibs/1"), 0, 100)
    world.certify(world.calib("calibs/2"), 10, 90, collection="late")
    world.certify(world.calib("calibs/3", detector=1), 10, 90, collection="late")
    (one,) = ask(world, "calib", "late").findings
    assert (one.rule, one.what, one.data_ids) == ("SHADOWED", "bias in late", (D0,))
    assert rules(world, "late", "calib") == []


def test_a_run_in_the_path_shadows_what_comes_after(world, work):
    world.certify(world.calib("calibs/2"), 10, 90)
    world.calib("calibs/1")
    assert rules(world, "calibs/1", "calib") == [("SHADOWED", "warning")]


def test_what_is_recalled_but_certified_leaves_a_hole(world, work):
    bias = world.calib("calibs/1")
    world.certify(bias, 0, 1000)
    work.raw(1)
    with world.write() as connection:
        mark(connection, [bias], "bad", actor="ada", reason="glow")
    assert rules(world) == [("GAP", "error"), ("MARKED_CERTIFIED", "warning")]
    assert "marked bad by ada: glow" in ask(world).render()


@pytest.fixture
def master(world, work):
    """A bias of two raws, and a flat made with it."""
    raws = [work.raw(n) for n in (1, 2)]
    data = [(f"raw:{raw.data_id.exposure}", raw) for raw in raws]
    (bias,) = work.do("calibs/1", "make_bias", D0, {"bias": "b"}, data=data)
    flat_id = DataId("lupine", None, 0, "r")
    (flat,) = work.do("calibs/1", "make_flat", flat_id, {"flat": "f"}, calibs=[("bias", bias)])
    return raws, bias, flat


def test_a_master_of_flagged_raws(world, master):
    _, bias, _ = master
    world.certify(bias, 0, 1000)
    assert rules(world) == []
    with world.write() as connection:
        set_flag(connection, [DataId("lupine", 1)], "bad", actor="ada", reason="shutter")
    (one,) = ask(world).findings
    assert (one.rule, one.severity, one.data_ids) == ("OF_BAD_RAWS", "error", (D0,))
    assert one.why == "exposure 1 among the raws is flagged bad; 1 of them certified"


def test_a_flag_on_another_detector_does_not_matter(world, master):
    _, bias, _ = master
    world.certify(bias, 0, 1000)
    with world.write() as connection:
        set_flag(connection, [DataId("lupine", 1, 1)], "bad", actor="ada", reason="shutter")
    assert rules(world) == []


def test_a_master_made_with_a_recalled_one(world, master):
    _, bias, flat = master
    with world.write() as connection:
        mark(connection, [bias], "bad", actor="ada", reason="glow")
    world.certify(flat, 0, 1000)
    (one,) = ask(world).findings
    assert (one.rule, one.severity, one.what) == ("OF_RECALLED", "error", "flat of calibs/1")
    assert one.fix.startswith(f"isrflow recall {bias.short} --with-derived")
    with world.write() as connection:
        mark(connection, [flat], "bad", actor="ada", reason="too")
    assert "OF_RECALLED" not in dict(rules(world))


def test_fallbacks_are_held_against_the_policy_of_now(world, work):
    bias = world.calib("calibs/1")
    world.certify(bias, 0, 1000)
    near = Match(bias, work.validity_of(bias), "calib", "NEAREST", "nearest", 3_600_000_000_000)
    work.do("night/1", "isr", work.raw(1).data_id, {"post_isr": "p"}, calibs=[("bias", near)])
    (one,) = ask(world).findings
    assert (one.rule, one.severity, one.n) == ("FALLBACK_WITHOUT_POLICY", "warning", 1)
    with world.write() as connection:
        set_policy(connection, "bias", Policy("nearest", 60_000_000_000), reason="short")
    assert rules(world) == [("BEYOND_GAP", "error")]
    with world.write() as connection:
        set_policy(connection, "bias", Policy("nearest", 7_200_000_000_000), reason="long")
    assert rules(world) == []


def test_detectors_of_an_exposure_with_calibrations_of_different_runs(world, work):
    with world.write() as connection:
        register_collection(connection, "calib", "CALIBRATION")
    first, second = work.raw(1), work.more_raw(1, 1)
    biases = [world.calib("calibs/1"), world.calib("calibs/1", detector=1), world.calib("calibs/2", detector=1)]
    work.do("night/1", "isr", first.data_id, {"post_isr": "p"}, calibs=[("bias", biases[0])])
    work.do("night/1", "isr", second.data_id, {"post_isr": "q"}, calibs=[("bias", biases[1])])
    assert rules(world) == []
    work.do("try/1", "isr", first.data_id, {"post_isr": "p"}, calibs=[("bias", biases[0])])
    work.do("try/1", "isr", second.data_id, {"post_isr": "q"}, calibs=[("bias", biases[2])])
    (one,) = ask(world).findings
    assert (one.rule, one.what, one.fix) == ("MIXED_RUNS", "bias", "isrflow whatif try/1")
    assert one.where == "1 exposure of try/1, 1 the first"


def test_what_nobody_used_although_there_are_exposures(world, work):
    bias = world.calib("calibs/1")
    world.certify(bias, 0, 1000)
    assert rules(world, ignore=()) == []  # no exposures yet
    raw = work.raw(1)
    assert rules(world, ignore=()) == [("NEVER_USED", "note")]
    work.do("night/1", "isr", raw.data_id, {"post_isr": "p"}, calibs=[("bias", work.match(bias))])
    assert rules(world, ignore=()) == []


def test_an_edge_at_an_hour_of_observing_is_foretold(world, work):
    hour, day = 3_600_000_000_000, 86_400_000_000_000
    with world.write() as connection:
        connection.execute(update(t.instrument).where(t.instrument.c.name == "lupine").values(rollover_s=43200.0))
    noon = 37 * 1_000_000_000 + 20_000 * day + 12 * hour
    work.raw(1, begin=noon + 8 * hour)
    work.raw(2, begin=noon + 16 * hour)
    world.certify(world.calib("calibs/1"), noon, noon + 10 * day + 10 * hour)
    world.certify(world.calib("calibs/2"), noon + 10 * day + 10 * hour, noon + 100 * day)
    found = [one for one in ask(world, ignore=()).findings if one.rule == "EDGE_FORECAST"]
    assert len(found) == 1
    assert "science is taken 8 h to 16 h after the begin of the day" in found[0].why


def test_only_known_rules_are_ignored(world, work):
    world.certify(world.calib("calibs/1"), 0, 9)
    with pytest.raises(UnknownName, match="no rule 'GAPS'; did you mean 'GAP'"):
        ask(world, ignore=["GAPS"])


def test_the_answer_as_plain_values(world, work):
    world.certify(world.calib("calibs/1"), 0, 20)
    work.raw(3)
    plain = ask(world).to_dict()
    assert (plain["worst"], plain["looked_at"]["ranges of validity"]) == ("error", 1)
    assert plain["findings"][0]["next"] == "isrflow calibs build bias --night 20260301"
