"""What would change: the same as what does change when it is done, and as a table of instants says."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, UnknownName, UserError
from registry.questions.whatif import View, Want, certified, pair_up, replaced, since, whatif, without
from registry.timespan import Timespan

HERE = View(("calib",))


def ask(world, data_ids, suppose=None, after=None, types=None):
    with world.read() as connection:
        built = None if suppose is None else suppose(connection)
        view = after or View(("calib",), suppose=built)
        want = Want(data_ids, types or {"bias": True})
        return whatif(connection, [want], HERE, view, supposed="if", of="some")


@pytest.fixture
def four(work, world):
    return [work.raw(n).data_id for n in range(1, 5)]  # mid-exposure at 11, 21, 31, 41


def told(answer):
    return {(*one.types, one.effect, tuple(d.exposure for d in one.data_ids)) for one in answer.changes}


def test_certifying_tells_what_is_gained_and_what_is_replaced(world, four):
    old, new = world.calib("calibs/1"), world.calib("calibs/2")
    world.certify(old, 0, 25)
    answer = ask(world, four, lambda c: certified(c, "calib", [new], Timespan(15, 35)))
    assert told(answer) == {("bias", "other", (2,)), ("bias", "gained", (3,))}
    assert answer.n_lacking == (2, 1)
    gaps = ask(world, four, lambda c: certified(c, "calib", [new], Timespan(15, 35), "fill-gaps"))
    assert told(gaps) == {("bias", "gained", (3,))}


def test_leaving_one_out_tells_what_is_lost(world, four):
    old = world.calib("calibs/1")
    world.certify(old, 0, 25)
    answer = ask(world, four, lambda c: without(c, [old]))
    assert told(answer) == {("bias", "lost", (1, 2))}
    assert str(answer.changes[0]).startswith(f"bias: {old.short} (calibs/1) -> NOTHING (")
    assert answer.render().endswith("nothing was changed")


def test_another_in_its_place(world, four):
    old, new = world.calib("calibs/1"), world.calib("calibs/2")
    world.certify(old, 0, 25)
    answer = ask(world, four, lambda c: replaced(c, pair_up([old], [new])))
    assert told(answer) == {("bias", "other", (1, 2))}
    assert [ref.id for ref in answer.changes[0].after] == [new.id]


def test_another_moment_of_the_registry(world, four):
    old, new = world.calib("calibs/1"), world.calib("calibs/2")
    seq = world.certify(old, 0, 100).event_seq
    world.certify(new, 30, 100, mode="replace")
    answer = ask(world, four, after=View(("calib",), as_of=seq))
    assert told(answer) == {("bias", "other", (3, 4))}


def test_if_nothing_changes_it_says_so(world, four):
    old = world.calib("calibs/1")
    world.certify(old, 0, 100)
    answer = ask(world, four, lambda c: certified(c, "calib", [old], Timespan(5, 50)))
    assert answer.changes == ()
    assert answer.render() == "if: of 4 quanta of some none would get other calibrations"


def test_nothing_is_written(world, four):
    old = world.calib("calibs/1")
    world.certify(old, 0, 25)
    before = world.sql("SELECT count(*), max(id) FROM calib_validity"), world.sql("SELECT count(*) FROM registry_event")
    ask(world, four, lambda c: certified(c, "calib", [old], Timespan(25, 60)))
    assert before == (
        world.sql("SELECT count(*), max(id) FROM calib_validity"), world.sql("SELECT count(*) FROM registry_event"),
    )  # fmt: skip


def test_a_run_is_compared_with_what_it_would_get_now(world, work, four):
    old, new = world.calib("calibs/1"), world.calib("calibs/2")
    world.certify(old, 0, 100)
    match = work.match(old)
    for data_id in four:
        work.do("night/1", "isr", data_id, {"post_isr": str(data_id)}, calibs=[("bias", match)])
    world.certify(new, 30, 100, mode="replace")
    with world.read() as connection:
        answer = since(connection, "night/1", [Want(four, {"bias": True})], HERE)
    assert told(answer) == {("bias", "other", (3, 4))}


def test_only_like_can_stand_for_like(world, four):
    bias, flat = world.calib("calibs/1"), world.calib("calibs/1", "flat", physical_filter="r")
    with world.read() as connection:
        with pytest.raises(ConflictError, match="only a calibration of the same type and data id"):
            replaced(connection, [(bias, flat)])
        with pytest.raises(UnknownName, match="nothing of the types and data ids"):
            pair_up([bias], [flat])
        with pytest.raises(UserError, match="only calibrations can be certified"):
            certified(connection, "calib", [world.dataset("raw/x", "raw", four[0])], Timespan(0, 9))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_what_is_foretold_is_what_happens_on_a_table_of_instants(world, work, seed):
    """Two collections, three biases, random certifications; the supposed change is compared with a plain table."""
    choose = random.Random(seed)
    tag = f"{next(work.numbers)}-{seed}"
    path = [f"one/{tag}", f"two/{tag}"]
    pool = [world.calib(f"calibs/{tag}/{n}") for n in range(3)]
    table = {name: dict.fromkeys(range(60)) for name in path}
    for _ in range(choose.randint(1, 4)):
        name, bias = choose.choice(path), choose.choice(pool)
        begin = choose.randint(0, 50)
        end = begin + choose.randint(1, 10)
        world.certify(bias, begin, end, collection=name, mode="replace")
        table[name].update(dict.fromkeys(range(begin, end), bias.id))
    for name in path:
        world.certify(pool[0], 59, 60, collection=name, mode="replace")  # so that both exist
        table[name][59] = pool[0].id
    first = 1000 * next(work.numbers)
    starts = [choose.randint(0, 56) for _ in range(6)]
    ids = {work.raw(first + n, begin=start).data_id: start + 1 for n, start in enumerate(starts)}
    changed = {name: dict(row) for name, row in table.items()}
    what = choose.choice(["certify", "fill-gaps", "without", "replace"])
    bias, other = choose.sample(pool, 2)
    begin, end = sorted(choose.sample(range(60), 2))

    def suppose(connection):
        if what == "without":
            return without(connection, [bias])
        if what == "replace":
            return replaced(connection, [(bias, other)])
        return certified(connection, path[0], [bias], Timespan(begin, end), "replace" if what == "certify" else what)

    for name, row in changed.items():
        for instant, held in row.items():
            if what == "without" and held == bias.id:
                row[instant] = None
            elif what == "replace" and held == bias.id:
                row[instant] = other.id
            elif (
                name == path[0] and begin <= instant < end and (what == "certify" or (what == "fill-gaps" and not held))
            ):
                row[instant] = bias.id

    def at(which, instant):
        return next((which[name][instant] for name in path if which[name][instant]), None)

    with world.read() as connection:
        view = View(path, suppose=suppose(connection))
        answer = whatif(connection, [Want(list(ids), {"bias": True})], View(path), view, supposed="", of="")
    found = {
        data_id: (change.effect, {ref.id for ref in change.after})
        for change in answer.changes
        for data_id in change.data_ids
    }
    for data_id, instant in ids.items():
        before, after = at(table, instant), at(changed, instant)
        if before == after:
            assert data_id not in found
        else:
            effect, refs = found[data_id]
            assert effect == ("gained" if before is None else "lost" if after is None else "other")
            assert after is None or after in refs
