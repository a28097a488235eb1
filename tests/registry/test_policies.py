"""What is done where a calibration is missing: decided, taken back, asked as of then, and never silent."""

from __future__ import annotations

import pytest

from registry.errors import ConflictError, UnknownName, UserError
from registry.explain import explain
from registry.refs import DatasetType, Policy
from registry.resolve import resolve
from registry.sql.dataset_types import register_dataset_types
from registry.sql.events import newest_seq
from registry.sql.notes import mark
from registry.sql.policies import policies, policy_rows, set_policy

DAY_NS = 86_400 * 10**9


def decide(world, kind, policy, reason="test"):
    with world.write() as connection:
        return set_policy(connection, kind, policy, actor="ada", reason=reason)


def ask(world, ids, types, path=("calib",), **options):
    with world.read() as connection:
        return resolve(connection, ids, types, path, **options)


def test_the_nearest_is_taken_from_the_first_collection_that_has_one_near_enough(world):
    near, far = world.calib("run/near"), world.calib("run/far")
    world.certify(far, 0, 10, "first")
    world.certify(near, 0, 90, "second")
    data_id = world.expose(1, 100, 102)  # mid-exposure 101: 91 ns after the far one's end, 11 after the near one's
    found = {}
    for gap in (10, 11, 90, 91):
        result = ask(world, [data_id], {"bias": True}, ("first", "second"), policies={"bias": Policy("nearest", gap)})
        match = result.matches[data_id].get("bias")
        found[gap] = match and (match.ref.run, match.collection, match.gap_ns, match.kind)
    assert found == {
        10: None,
        11: ("run/near", "second", 11, "nearest"),
        90: ("run/near", "second", 11, "nearest"),
        91: ("run/far", "first", 91, "nearest"),
    }


def test_of_two_equally_far_the_one_that_is_over_is_taken(world):
    before, after = world.calib("run/before"), world.calib("run/after")
    world.certify(before, 0, 90)
    world.certify(after, 110, 200)
    data_id = world.expose(1, 99, 101)  # 10 ns after the one ended, 10 ns before the other begins
    policy = {"bias": Policy("nearest", 50)}
    assert ask(world, [data_id], {"bias": True}, policies=policy).matches[data_id]["bias"].ref == before
    later = world.expose(2, 100, 102)
    assert ask(world, [later], {"bias": True}, policies=policy).matches[later]["bias"].ref == after


def test_a_gap_of_nothing_takes_what_ended_at_that_very_instant(world):
    world.certify(world.calib("run/1"), 0, 100)
    data_id = world.expose(1, 100, 100)
    match = ask(world, [data_id], {"bias": True}, policies={"bias": Policy("nearest", 0)}).matches[data_id]["bias"]
    assert (match.kind, match.gap_ns) == ("nearest", 0)


def test_what_is_valid_in_a_later_collection_goes_before_what_is_near_in_an_earlier_one(world):
    near, valid = world.calib("run/near"), world.calib("run/valid")
    world.certify(near, 0, 100, "first")
    world.certify(valid, 0, 200, "second")
    data_id = world.expose(1, 100, 101)
    result = ask(world, [data_id], {"bias": True}, ("first", "second"), policies={"bias": Policy("nearest", 50)})
    assert (result.matches[data_id]["bias"].ref, result.fallbacks) == (valid, [])


def test_the_nearest_is_never_one_that_is_marked_or_gone_and_a_fallback_is_never_silent(world):
    bad, gone, good = (world.calib(f"run/{name}") for name in ("bad", "gone", "good"))
    for place, ref in enumerate((good, gone, bad)):
        world.certify(ref, place * 10, place * 10 + 10)
    with world.write() as connection:
        mark(connection, [bad], "bad", actor="ada", reason="light leak")
    world.sql("UPDATE dataset SET status = 'MISSING' WHERE uuid = ?", gone.id.hex)
    data_id = world.expose(1, 40, 42)
    result = ask(world, [data_id], {"bias": True}, policies={"bias": Policy("nearest", DAY_NS)})
    match = result.matches[data_id]["bias"]
    assert (match.ref, match.gap_ns) == (good, 31)
    away = "3.1e-08 s away"
    assert match.warning == (
        f"NEAREST: none is valid at mid-exposure; {good.short} is the nearest, {away} (policy nearest within 1 d)"
    )
    assert result.notes() == [
        f"fallback: bias of run/good, not valid but the nearest, {away}, for {data_id} (policy nearest within 1 d)"
    ]
    assert result.to_dict()["fallbacks"][0]["dataset"] == str(good.id)


@pytest.mark.parametrize(
    ("word", "complete", "quiet", "note"),
    [
        ("error", False, False, []),
        (
            "skip",
            False,
            True,
            ["skipped: lupine exposure=1 detector=0 lack bias: there is no bias for it at all (policy skip)"],
        ),
        (
            "optional",
            True,
            False,
            ["done without: lupine exposure=1 detector=0 lack bias: there is no bias for it at all (policy optional)"],
        ),
    ],
)
def test_policies_decide_about_what_the_recipe_requires(world, word, complete, quiet, note):
    data_id = world.expose(1, 0, 2)
    result = ask(world, [data_id], {"bias": True}, (), policies={"bias": Policy(word)})
    assert (result.complete(data_id), result.missing[0].is_quiet, result.notes()) == (complete, quiet, note)
    assert bool(result.missing_report()) == (word == "error")
    not_required = ask(world, [data_id], {"bias": False}, (), policies={"bias": Policy(word)})
    assert (not_required.complete(data_id), not_required.notes()) == (True, [])


def test_a_policy_is_audited_and_asked_as_of_then(world):
    week = Policy("nearest", 7 * DAY_NS)
    first = decide(world, "bias", week, "clouds")
    assert decide(world, "bias", week) is None
    second = decide(world, "bias", Policy("skip"), "sun")
    with world.read() as connection:
        assert [policies(connection, seq) for seq in (0, first, second)] == [
            {},
            {"bias": week},
            {"bias": Policy("skip")},
        ]
        rows = {row.type: row for row in policy_rows(connection, first)}
        assert (rows["bias"].since.actor, rows["bias"].since.reason, str(rows["bias"].policy)) == (
            "ada",
            "clouds",
            "nearest within 7 d",
        )
        assert rows["flat"].since is None
        with pytest.raises(UserError, match="there is no event 99 yet"):
            policy_rows(connection, 99)


def test_a_type_can_be_born_with_a_policy(world):
    with world.write() as connection:
        dims = ("instrument", "detector")
        register_dataset_types(connection, [DatasetType("fringe", dims, "fits", True, "optional")])
    data_id = world.expose(1, 0, 2)
    assert ask(world, [data_id], {"fringe": True}, ()).complete(data_id)
    decide(world, "fringe", Policy("error"))
    assert not ask(world, [data_id], {"fringe": True}, ()).complete(data_id)


def test_what_makes_no_sense_is_refused(world):
    with pytest.raises(UnknownName, match="no dataset type 'bais'; did you mean 'bias'"):
        decide(world, "bais", Policy("skip"))
    with pytest.raises(ConflictError, match="raw is not a type of calibrations"):
        decide(world, "raw", Policy("skip"))
    with pytest.raises(UserError, match="a policy wants a reason"):
        decide(world, "bias", Policy("skip"), " ")
    for bad in ({"on_missing": "nearest"}, {"on_missing": "skip", "max_gap_ns": 1}):
        with pytest.raises(ValueError, match="the policy nearest, and no other"):
            Policy(**bad)
    with pytest.raises(ValueError, match="'never' is not a policy"):
        Policy("never")
    with world.read() as connection:
        assert newest_seq(connection) == 0


def test_explain_shows_the_fallback_and_offers_one(world):
    ref = world.calib("run/1")
    world.certify(ref, 0, 90)
    world.expose(1, 100, 102)
    with world.read() as connection:
        offered = explain(connection, 1, 0, "bias", ["calib"])
    assert offered.fix.endswith("isrflow policy set bias nearest --max-gap 1d --reason WHY")
    decide(world, "bias", Policy("nearest", DAY_NS))
    with world.read() as connection:
        shown = explain(connection, 1, 0, "bias", ["calib"])
    assert (shown.chosen.ref, shown.candidates[0].code) == (ref, "CHOSEN")
    text = shown.render()
    assert "where none is valid: nearest within 1 d" in text
    assert "CHOSEN: the nearest, 1.1e-08 s away" in text
    assert shown.to_dict()["match"] == "nearest"
