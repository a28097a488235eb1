"""Impact against a transitive closure worked out over a dictionary, and against scenes made by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from registry.questions.impact import Impact, impact
from registry.refs import DataId
from registry.sql import tables as t
from registry.words import spell_bytes, spell_cpu

D0 = DataId("lupine", detector=0)


def ask(world, *refs) -> Impact:
    with world.read() as connection:
        return impact(connection, refs)


@pytest.fixture
def scene(world, work):
    """Two biases -> a master -> a flat (made with the master) -> two products; a third product with the bias only."""
    raws = [work.raw(n) for n in range(1, 6)]
    (bias,) = work.do("calibs/1", "make_bias", D0, {"bias": "b"}, data=[("raw:1", raws[0]), ("raw:2", raws[1])])
    flat_id = DataId("lupine", None, 0, "r")
    (flat,) = work.do(
        "calibs/1", "make_flat", flat_id, {"flat": "f"}, data=[("raw:3", raws[2])], calibs=[("bias", bias)]
    )
    both = [("bias", bias), ("flat", flat)]
    names = {"post_isr": "p", "statistics": "s"}
    p4 = work.do("night/1", "isr", raws[3].data_id, names, data=[("raw", raws[3])], calibs=both)
    p5 = work.do("try/1", "isr", raws[4].data_id, {"post_isr": "q"}, data=[("raw", raws[4])], calibs=[("flat", flat)])
    return raws, bias, flat, p4, p5


def test_a_bias_touches_products_directly_and_others_by_way_of_the_flat(world, scene):
    _, bias, flat, *_ = scene
    world.certify(flat, 0, 100)
    found = ask(world, bias)
    told = {(one.generation, one.run, one.night, one.type, one.n, one.n_live, one.n_bytes) for one in found.touched}
    assert told == {
        (1, "calibs/1", None, "flat", 1, 1, 100),
        (1, "night/1", 20260301, "post_isr", 1, 1, 100),
        (1, "night/1", 20260301, "statistics", 1, 1, 100),
        (2, "try/1", 20260301, "post_isr", 1, 1, 100),
    }
    assert (found.n_products, found.n_live, found.n_bytes, found.n_quanta) == (4, 4, 400, 3)
    assert found.cpu_s == 6.0  # three quanta of two seconds
    assert [(one.ref.id, one.generation, one.certified_in) for one in found.masters] == [(flat.id, 1, ("calib",))]
    assert (found.nights, found.runs) == ((20260301,), ("calibs/1", "night/1", "try/1"))


def test_a_raw_touches_what_its_master_touches(world, scene):
    raws, *_ = scene
    assert ask(world, raws[0]).n_products == 5
    assert ask(world, raws[3]).n_products == 2
    assert ask(world, raws[0]).touched[0].type == "bias"


def test_what_is_not_live_counts_but_is_told_apart_and_takes_no_cpu(world, work, scene):
    _, bias, _, p4, _ = scene
    with world.write() as connection:
        gone = list(map(work.row_of, p4))
        connection.execute(update(t.dataset).where(t.dataset.c.id.in_(gone)).values(status="PURGED"))
    found = ask(world, bias)
    assert (found.n_products, found.n_live, found.n_bytes, found.cpu_s) == (4, 2, 200, 4.0)
    assert "night/1, night 20260301: 1 post_isr (0 live), 1 statistics (0 live) (0 B)" in found.render()
    assert "2 of them live" in found.headline


def test_planned_work_and_unmeasured_work_are_told(world, work, scene):
    raws, bias, *_ = scene
    work.do("try/2", "isr", raws[4].data_id, {}, data=[("raw", raws[4])], calibs=[("bias", bias)], state="planned")
    work.do("try/3", "isr", raws[4].data_id, {"post_isr": "x"}, calibs=[("bias", bias)], state="done", cpu_s=None)
    found = ask(world, bias)
    assert found.waiting == {"planned": 1}
    assert found.cpu_s == 6.0 + 4.0  # without a CPU time the wall time stands in
    assert "planned with it: 1 planned" in found.render()


def test_of_nothing_nothing_was_made(world, work):
    raw = work.raw(1)
    found = ask(world, raw)
    assert (found.touched, found.masters, dict(found.waiting), found.n_live) == ((), (), {}, 0)
    assert found.render().endswith("nothing was made with it")


def test_the_answer_reads_aloud(world, scene):
    _, bias, flat, *_ = scene
    world.certify(flat, 0, 100)
    lines = ask(world, bias).render().splitlines()
    assert lines[0] == f"of {bias}"
    assert lines[1] == (
        "4 datasets made with it (all live, 400 B) by 3 quanta in 1 night, 3 runs; to make them again takes 6 s of CPU"
    )
    assert lines[2:] == [
        "directly:",
        "  calibs/1: 1 flat (100 B)",
        "  night/1, night 20260301: 1 post_isr, 1 statistics (200 B)",
        "by way of masters:",
        "  try/1, night 20260301: 1 post_isr (100 B)",
        "1 calibration among them, 1 of which certified now:",
        f"  1 flat of calibs/1 ({flat.short}): certified in calib",
    ]
    plain = ask(world, bias).to_dict()
    assert (plain["products"], plain["nights"], plain["masters"][0]["certified_in"]) == (4, [20260301], ["calib"])


def test_several_roots_count_what_they_share_once(world, scene):
    _, bias, flat, *_ = scene
    found = ask(world, bias, flat)
    assert found.n_products == 3  # the flat is itself asked about
    assert found.render().startswith("of 1 bias (run calibs/1), 1 flat (run calibs/1)")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_impact_is_the_transitive_closure_of_what_used_what(world, work, seed):
    choose = random.Random(seed)
    prefix = f"world/{next(work.numbers)}-{seed}"
    pool = [world.dataset(f"{prefix}/start", "bias", DataId("lupine", None, n)) for n in range(3)]
    used_by: dict[int, set[int]] = {n: set() for n in range(3)}
    for n in range(choose.randint(3, 14)):
        sources = choose.sample(range(len(pool)), choose.randint(0, min(3, len(pool))))
        as_calib = [(f"c{s}", pool[s]) for s in sources if choose.random() < 0.5]
        as_data = [(f"d{s}", pool[s]) for s in sources if (f"c{s}", pool[s]) not in as_calib]
        kind = choose.choice(["bias", "flat"])
        data_id = DataId("lupine", None, 0, "r" if kind == "flat" else None)
        pool += work.do(f"{prefix}/{n}", "make", data_id, {kind: f"{n}"}, data=as_data, calibs=as_calib)
        used_by[len(pool) - 1] = set()
        for source in sources:
            used_by[source].add(len(pool) - 1)
    for start in range(len(pool)):
        closure, front = set(), {start}
        while front:
            front = set().union(*(used_by[one] for one in front)) - closure
            closure |= front
        found = ask(world, pool[start])
        assert set(found.dataset_rows) == {work.row_of(pool[one]) for one in closure}
        assert len(found.masters) == len(closure)


def test_sizes_and_times_are_spelled_for_people():
    assert [spell_bytes(n) for n in (0, 999, 1000, 8_234_000, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1 kB",
        "8.23 MB",
        "5 TB",
    ]
    assert [spell_cpu(s) for s in (0.41, 59, 600, 7200, 36000)] == ["0.41 s", "59 s", "10.0 min", "2.0 h", "10.0 h"]
