"""Differences planted by hand, and random ones compared with what was planted."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, UnknownName
from registry.questions.diff import RunDiff, diff
from registry.questions.pairs import leaves
from registry.refs import DataId


def ask(world, before: str = "night/1", after: str = "try/1") -> RunDiff:
    with world.read() as connection:
        return diff(connection, before, after)


@pytest.fixture
def raws(work):
    return [work.raw(n) for n in range(1, 5)]


def correct(work, run, raw, content="same", **options):
    options = {"calibs": (), "data": [("raw", raw)]} | options
    return work.do(run, "isr", raw.data_id, {"post_isr": f"{content}-{raw.data_id.exposure}"}, **options)


def test_the_same_work_twice_is_the_same(work, raws, world):
    for run in ("night/1", "try/1"):
        for raw in raws:
            correct(work, run, raw)
    found = ask(world)
    assert found.is_empty
    assert found.products == {"post_isr": (4, 0)}
    assert found.render() == (
        "night/1 -> try/1: 4 quanta in both; they are the same in calibrations, settings, software, inputs and products"
    )


def test_another_bias_for_all_is_one_line_with_who_certified_it(work, raws, world):
    old, new = world.calib("calibs/5"), world.calib("calibs/6")
    world.certify(old, 0, 100)
    before = work.match(old)
    for raw in raws:
        correct(work, "night/1", raw, calibs=[("bias", before)])
    seq = world.certify(new, 0, 100, mode="replace", actor="grace", reason="new lamp").event_seq
    after = work.match(new)
    for raw in raws:
        correct(work, "try/1", raw, "other", calibs=[("bias", after)])
    (one,) = ask(world).differences
    assert (one.kind, one.what, one.before, one.after) == (
        "calibration", "bias", f"{old.short} (calibs/5)", f"{new.short} (calibs/6)",
    )  # fmt: skip
    assert one.why.startswith("certified in calib by grace at ")
    assert f"event {seq}" in one.why
    assert "(new lamp)" in one.why
    assert one.where == "all 4 quanta"
    lines = ask(world).render().splitlines()
    assert lines[2:] == [
        "product post_isr: 4 of 4 differ",
        "  with other bias: 4 quanta, 4 of them with other products",
    ]


def test_biases_of_many_detectors_are_one_line(work, world):
    work.raw(1)
    for detector in range(3):
        raw = work.more_raw(1, detector) if detector else None
        raw = raw or world.dataset("raw/again", "raw", DataId("lupine", 1, 0))
        for run, home in (("night/1", "calibs/5"), ("try/1", "calibs/6")):
            correct(work, run, raw, run, calibs=[("bias", world.calib(home, detector=detector))])
    (one,) = ask(world).differences
    assert str(one) == "bias: 3 of calibs/5 -> 3 of calibs/6, found in calibs/6: all 3 quanta"


def test_types_that_share_their_lot_are_one_line(work, raws, world):
    for run, home in (("night/1", "calibs/5"), ("try/1", "calibs/6")):
        calibs = [("bias", world.calib(home)), ("flat", world.calib(home, "flat", physical_filter="r"))]
        for raw in raws:
            correct(work, run, raw, run, calibs=calibs)
    (one,) = ask(world).differences
    assert str(one) == "bias, flat: 2 of calibs/5 -> 2 of calibs/6, found in calibs/6: all 4 quanta"
    assert [outcome.causes for outcome in ask(world).outcomes] == [("bias", "flat")]


def test_settings_and_packages_are_named_by_their_leaves(work, raws, world):
    for n, raw in enumerate(raws):
        correct(work, "night/1", raw, config={"settings": {"overscan": {"order": 1, "fit": "mean"}}})
        order = 3 if n < 3 else 1
        correct(
            work, "try/1", raw, f"order-{order}" if n < 3 else "same",
            config={"settings": {"overscan": {"order": order, "fit": "mean"}}},
            software={"packages": {"isrflow": "2", "numpy": "2.4"}},
        )  # fmt: skip
    told = [str(one) for one in ask(world).differences]
    assert told == [
        "config overscan.order: 1 -> 3: 3 isr of lupine exposures 1-3, detectors 0",
        "software isrflow: 1 -> 2: all 4 quanta",
        "software numpy: nothing -> 2.4: all 4 quanta",
    ]
    outcomes = {one.causes: (one.n, len(one.changed)) for one in ask(world).outcomes}
    assert outcomes == {("isrflow", "numpy"): (1, 0), ("isrflow", "numpy", "overscan.order"): (3, 3)}


def test_a_product_that_differs_for_no_reason_on_record_is_pointed_out(work, raws, world):
    correct(work, "night/1", raws[0])
    correct(work, "try/1", raws[0], "other")
    found = ask(world)
    assert [key[1] for key in found.unexplained] == [raws[0].data_id]
    assert "NOT EXPLAINED: products of isr of lupine exposure=1 detector=0 differ" in found.render()
    assert not found.is_empty


def test_what_only_one_run_has_and_how_others_ended(work, raws, world):
    for raw in raws[:3]:
        correct(work, "night/1", raw)
    correct(work, "try/1", raws[0])
    work.do("try/1", "isr", raws[1].data_id, {}, data=[("raw", raws[1])], state="skipped")
    correct(work, "try/1", raws[3])
    told = [str(one) for one in ask(world).differences]
    assert told == [
        "ended: done -> skipped (no flat): isr of lupine exposure=2 detector=0",
        "only in night/1: isr of lupine exposure=3 detector=0",
        "only in try/1: isr of lupine exposure=4 detector=0",
    ]


def test_inputs_of_the_same_content_are_the_same_and_others_are_not(work, raws, world):
    raw = raws[0]
    (one,) = work.do("night/1", "pre", raw.data_id, {"statistics": "s"})
    (twin,) = work.do("try/1", "pre", raw.data_id, {"statistics": "s"})
    correct(work, "night/1", raw, data=[("raw", raw), ("source:D1", one)])
    correct(work, "try/1", raw, data=[("raw", raw), ("source:D1", twin)])
    assert ask(world).is_empty
    (other,) = work.do("try/2", "pre", raw.data_id, {"statistics": "t"})
    correct(work, "try/2", raw, data=[("raw", raw), ("source:D1", other)])
    told = [str(line) for line in ask(world, "night/1", "try/2").differences]
    assert told == [f"input source: {one.short} (night/1) -> {other.short} (try/2): isr of {raw.data_id}"]


def test_a_calibration_of_the_same_content_says_so(work, raws, world):
    (one,) = work.do("calibs/5", "make", DataId("lupine", None, 0), {"bias": "b"})
    (twin,) = work.do("calibs/6", "make", DataId("lupine", None, 0), {"bias": "b"})
    correct(work, "night/1", raws[0], calibs=[("bias", one)])
    correct(work, "try/1", raws[0], calibs=[("bias", twin)])
    (line,) = ask(world).differences
    assert line.why.endswith("(but of the same content)")


def test_only_runs_that_exist_can_be_compared(work, raws, world):
    correct(work, "night/1", raws[0])
    with pytest.raises(UnknownName, match="no collection 'night/2'"):
        ask(world, "night/1", "night/2")
    world.certify(world.calib("calibs/5"), 0, 9)
    with pytest.raises(ConflictError, match="calib is CALIBRATION"):
        ask(world, "night/1", "calib")


def test_runs_without_work_are_not_called_the_same(work, world):
    world.calib("calibs/5")
    world.calib("calibs/6")
    assert ask(world, "calibs/5", "calibs/6").render().endswith("0 quanta in both; neither holds any work to compare")


def test_leaves_of_a_tree_have_dotted_names():
    tree = {"a": {"b": 1, "c": [1, 2]}, "d": {}, "e": None}
    assert dict(leaves(tree)) == {"a.b": 1, "a.c": [1, 2], "d": {}, "e": None}


@settings(max_examples=7, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_every_planted_difference_is_found_and_no_other(world, work, seed):
    choose = random.Random(seed)
    tag = f"{next(work.numbers)}-{seed}"
    first = 1000 * next(work.numbers)
    biases = [world.calib(f"calibs/{tag}/{n}") for n in range(3)]
    planted: set[tuple[str, int]] = set()
    changed, there = set(), {"a": set(), "b": set()}
    for n in range(first, first + choose.randint(2, 6)):
        raw = work.raw(n)
        bias, order, content = 0, 1, "same"
        for run in ("a", "b"):
            if run == "b":
                bias, order = choose.randint(0, 2), choose.choice([1, 1, 2])
                content = choose.choice(["same", "same", "other"])
            if choose.random() < 0.15:
                continue
            there[run].add(n)
            correct(
                work, f"{run}/{tag}", raw, content,
                calibs=[("bias", biases[bias])], config={"settings": {"overscan": {"order": order}}},
            )  # fmt: skip
        if n in there["a"] & there["b"]:
            planted |= {("bias", n)} if bias else set()
            planted |= {("overscan.order", n)} if order == 2 else set()
            changed |= {n} if content == "other" else set()
    for run in ("a", "b"):
        world.dataset(f"{run}/{tag}", "camera", DataId("lupine"))  # so that the run exists even if it is empty
    found = ask(world, f"a/{tag}", f"b/{tag}")
    told = {(one.what, key[1].exposure) for one in found.differences if one.kind != "only" for key in one.quanta}
    only = {one.what: {key[1].exposure for key in one.quanta} for one in found.differences if one.kind == "only"}
    assert told == planted
    assert only.get(f"a/{tag}", set()) == there["a"] - there["b"]
    assert only.get(f"b/{tag}", set()) == there["b"] - there["a"]
    assert {key[1].exposure for one in found.outcomes for key in one.changed} == changed
    explained = {n for _, n in planted}
    assert {key[1].exposure for key in found.unexplained} == changed - explained
