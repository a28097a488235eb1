"""Recalls of scenes made by hand."""

from __future__ import annotations

import pytest

from registry.errors import UserError
from registry.questions.recall import Recall, recall
from registry.questions.whatif import View
from registry.refs import DataId
from registry.resolve import resolve
from registry.sql.notes import mark, unmark


def ask(world, *refs, **options) -> Recall:
    with world.read() as connection:
        return recall(connection, refs, View(("calib",)), reason="leak", **options)


def found(world, data_id):
    with world.read() as connection:
        match = resolve(connection, [data_id], {"bias": True}, ["calib"]).matches[data_id].get("bias")
    return None if match is None else match.ref.id


@pytest.fixture
def scene(world, work):
    """Exposures 1 and 2 were corrected with the bias valid then; a flat was made with it; 3 has another bias."""
    raws = [work.raw(n) for n in (1, 2, 3)]
    old, new = world.calib("calibs/1"), world.calib("calibs/2")
    world.certify(old, 0, 25)
    world.certify(new, 25, 100)
    matches = [work.match(old), work.match(old), work.match(new)]
    flat_id = DataId("lupine", None, 0, "r")
    (flat,) = work.do("calibs/1", "make_flat", flat_id, {"flat": "f"}, calibs=[("bias", matches[0])])
    for raw, match in zip(raws, matches, strict=True):
        data, calibs = [("raw", raw)], [("bias", match), ("flat", flat)]
        work.do("night/1", "isr", raw.data_id, {"post_isr": f"{raw.id}"}, data=data, calibs=calibs)
    return raws, old, new, flat


def test_without_a_replacement_it_says_so_and_why(world, scene):
    raws, old, _, _ = scene
    answer = ask(world, old)
    (change,) = answer.changes
    assert (change.types, change.effect, change.after) == (("bias",), "lost", ())
    assert change.data_ids == (raws[0].data_id, raws[1].data_id) == answer.without_replacement
    assert change.why.startswith("GAP")
    assert "2 of them have no replacement and would not be made" in answer.render()
    assert answer.render().endswith("nothing was changed")


def test_what_comes_instead_is_what_is_found_after_the_mark(world, scene):
    raws, old, _, _ = scene
    spare = world.calib("calibs/3")
    world.certify(spare, 0, 15, collection="spare")
    with world.read() as connection:
        answer = recall(connection, [old], View(("calib", "spare")), reason="leak")
    by_effect = {one.effect: one for one in answer.changes}
    assert [ref.id for ref in by_effect["other"].after] == [spare.id]
    assert by_effect["other"].data_ids == (raws[0].data_id,)
    assert by_effect["lost"].data_ids == (raws[1].data_id,)


def test_only_products_made_with_it_itself_are_made_again(world, scene):
    raws, old, new, flat = scene
    assert ask(world, old).data_ids == (raws[0].data_id, raws[1].data_id)
    assert ask(world, new).data_ids == (raws[2].data_id,)
    assert ask(world, flat).data_ids == tuple(raw.data_id for raw in raws)


def test_masters_that_stay_in_use_are_warned_of_or_recalled_too(world, scene):
    raws, old, _, flat = scene
    assert ask(world, old).masters_left == ()  # the flat is certified nowhere
    world.certify(flat, 0, 100)
    assert [ref.id for ref in ask(world, old).masters_left] == [flat.id]
    assert "WARNING: made with it and still certified, so still in use: 1 flat of calibs/1" in ask(world, old).render()
    answer = ask(world, old, with_derived=True)
    assert {ref.id for ref in answer.recalled} == {old.id, flat.id}
    assert answer.masters_left == ()
    assert answer.data_ids == tuple(raw.data_id for raw in raws)  # the third by way of the flat


def test_a_dry_run_changes_nothing_and_a_mark_is_honoured_and_taken_back(world, scene):
    raws, old, _, _ = scene
    ask(world, old)
    assert found(world, raws[0].data_id) == old.id
    with world.write() as connection:
        mark(connection, [old], "bad", actor="ada", reason="leak")
    assert found(world, raws[0].data_id) is None
    again = ask(world, old)
    assert [row.reason for row in again.already] == ["leak"]
    assert "already marked bad by ada" in again.render()
    with world.write() as connection:
        unmark(connection, [old], "bad", actor="ada", reason="it was the shutter")
    assert found(world, raws[0].data_id) == old.id


def test_what_nobody_used_is_recalled_all_the_same(world, work):
    bias = world.calib("calibs/1")
    world.certify(bias, 0, 9)
    answer = ask(world, bias)
    assert (answer.affected, answer.changes) == ((), ())
    assert "nothing is to be made again" in answer.render()


def test_only_calibrations_are_recalled(world, work):
    raw = work.raw(1)
    with pytest.raises(UserError, match="only calibrations are recalled"):
        ask(world, raw)


def test_the_answer_as_plain_values(world, scene):
    _, old, _, _ = scene
    plain = ask(world, old).to_dict()
    assert plain["recalled"] == [{"id": str(old.id), "type": "bias", "run": "calibs/1"}]
    assert [one["data_id"]["exposure"] for one in plain["affected"]] == [1, 2]
    assert plain["instead"][0]["effect"] == "lost"
    assert (plain["event"], plain["reason"]) == (None, "leak")
