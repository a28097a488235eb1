"""Work: planned, leased, done or not, each step once and by one worker."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from registry.errors import ConflictError, UnknownName
from registry.refs import DataId, Match, QuantumFailure, QuantumSpec, quantum_uuid
from registry.sql.collections import register_collection
from registry.sql.database import make_engine, write
from registry.sql.leases import fail, finish, heartbeat, lease, release
from registry.sql.quanta import quanta
from registry.sql.quantum_inputs import quantum_inputs
from registry.sql.quantum_plans import plan_quanta, skip_quanta

CONFIG = {"overscan": {"kind": "median"}}
SOFTWARE = {"packages": {"numpy": "2.1"}}
PARTS = {"config": CONFIG, "software": SOFTWARE}


@pytest.fixture
def night(world):
    """Two exposures on two detectors, with raws, a certified bias each, and the specs of their quanta."""
    with world.write() as connection:
        register_collection(connection, "products", "RUN")
    biases = [world.calib("calibs/1", detector=i) for i in range(2)]
    world.certify(biases, 0, 1000)
    world.specs = []
    for number in (1, 2):
        world.expose(number, number * 10, number * 10 + 5)
        for detector in range(2):
            data_id = DataId("lupine", number, detector)
            raw = world.dataset("raw/all", "raw", data_id)
            match = Match(biases[detector], 1 + detector, "calib")
            world.specs.append(
                QuantumSpec("isr", data_id, (("raw", raw.id),), (("bias", match),), f"key-{number}-{detector}")
            )
    return world


def plan(world, specs=None, **options):
    with world.write() as connection:
        return plan_quanta(connection, "products", specs or world.specs, **{**PARTS, **options})


def states(world) -> list[str]:
    with world.read() as connection:
        return [row.state for row in quanta(connection, "products")]


def do(world, verb, *args, **options):
    with world.write() as connection:
        return verb(connection, *args, **options)


def test_a_plan_comes_back_in_order_with_predictable_ids(night):
    rows = plan(night, list(reversed(night.specs)))
    assert [row.data_id for row in rows] == [spec.data_id for spec in reversed(night.specs)]
    assert {row.state for row in rows} == {"planned"}
    assert rows[0].uuid == quantum_uuid("products", "isr", rows[0].data_id)


def test_planning_again_changes_nothing(night):
    assert plan(night) == plan(night)
    assert night.sql("SELECT count(*) FROM quantum_input")[0][0] == 4


def test_the_same_calibrations_are_one_set_however_many_exposures_use_them(night):
    plan(night)
    assert night.sql("SELECT count(*) FROM calib_set")[0][0] == 2
    assert night.sql("SELECT count(*) FROM config_blob")[0][0] == 1


def test_all_that_goes_in_comes_back(night):
    row = plan(night)[3]
    with night.read() as connection:
        inputs = quantum_inputs(connection, row.id)
    spec = night.specs[3]
    assert inputs.quantum == row
    assert {role: ref.id for role, ref in inputs.data.items()} == dict(spec.inputs)
    assert inputs.matches == dict(spec.calibs)
    assert inputs.calibs == {"bias": spec.calibs[0][1].ref}
    assert (inputs.config, inputs.software) == (CONFIG, SOFTWARE)


def test_what_is_done_stays_done(night):
    row = plan(night)[0]
    do(night, lease, [row.id], "w")
    do(night, finish, row.id, "w", metrics={"sky": 1.5}, seconds=2.0, cpu_s=1.0, peak_rss_bytes=1000)
    again = plan(night)[0]
    assert (again.state, again.seconds, again.cpu_s, again.peak_rss_bytes, again.worker) == (
        "done",
        2.0,
        1.0,
        1000,
        "w",
    )
    assert states(night) == ["done", "planned", "planned", "planned"]


def test_another_content_of_what_is_done_is_refused_naming_what_differs(night):
    ids = [row.id for row in plan(night)]
    do(night, lease, ids, "w")
    for one in ids[:2]:
        do(night, finish, one, "w")
    other = night.calib("calibs/2")
    night.certify(other, 2000, 3000)
    changed = [replace(one, calibs=(("bias", Match(other, 3, "calib")),), content_key="new") for one in night.specs]
    setting = r"configuration \(overscan.kind median -> mean\)"
    difference = rf"exposure=1 detector=0 \(done\): {setting}, bias \w+ -> {other.short}"
    pattern = rf"(?s)4 quanta of run products.*isr lupine {difference}"
    with pytest.raises(ConflictError, match=pattern) as caught:
        plan(night, changed, config={"overscan": {"kind": "mean"}})
    assert len(caught.value.conflicts) == 4  # two done, two being done
    assert "isrflow reprocess WHERE --out RUN" in caught.value.fix
    with pytest.raises(ConflictError, match=r"exposures 1, detectors 0-1 \(done\): configuration \(overscan None -> 1"):
        plan(night, [replace(one, content_key="new") for one in night.specs[:2]], config={"overscan": 1})
    with pytest.raises(ConflictError, match="something that only the content key sees"):
        plan(night, [replace(night.specs[0], content_key="new")])


def test_what_has_not_begun_is_specified_anew(night):
    before = plan(night)
    other = night.calib("calibs/2")
    night.certify(other, 2000, 3000)
    changed = replace(night.specs[0], calibs=(("bias", Match(other, 3, "calib")),), content_key="new")
    after = plan(night, [changed], config={"new": True})[0]
    assert (after.id, after.content_key, after.state) == (before[0].id, "new", "planned")
    with night.read() as connection:
        inputs = quantum_inputs(connection, after.id)
    assert (inputs.calibs["bias"], inputs.config) == (other, {"new": True})


def test_what_failed_gets_another_chance_unless_told_otherwise(night):
    row = plan(night)[0]
    do(night, lease, [row.id], "w")
    do(night, fail, row.id, "w", QuantumFailure("ValueError", "bad pixel"), retriable=False)
    assert plan(night, retry_failed=False)[0].state == "failed"
    again = plan(night)[0]
    assert (again.state, again.retriable, again.attempt) == ("planned", True, 1)


def test_what_lacks_its_calibrations_is_skipped_with_the_reason_until_they_are_there(night):
    wanted = [("isr", spec.data_id, "no bias: none is valid at mid-exposure") for spec in night.specs[:2]]
    rows = do(night, skip_quanta, "products", wanted, **PARTS)
    assert [(row.state, row.reason) for row in rows] == [("skipped", wanted[0][2])] * 2
    assert do(night, lease, [rows[0].id], "w") == []
    rows = do(night, skip_quanta, "products", [(*wanted[0][:2], "no flat")], **PARTS)
    assert rows[0].reason == "no flat"
    rows = plan(night)
    assert [(row.state, row.reason) for row in rows] == [("planned", None)] * 4
    do(night, lease, [rows[0].id], "w")
    do(night, finish, rows[0].id, "w")
    skipped = do(night, skip_quanta, "products", wanted, **PARTS)
    assert [row.state for row in skipped] == ["done", "skipped"]


def test_a_quantum_is_leased_to_one_worker_and_those_won_are_told(night):
    ids = [row.id for row in plan(night)]
    assert do(night, lease, ids[2:], "first") == ids[2:]
    assert do(night, lease, list(reversed(ids)), "second") == [ids[1], ids[0]]
    assert do(night, lease, ids, "third") == []
    with night.read() as connection:
        assert [row.worker for row in quanta(connection, states=["leased"])] == ["second", "second", "first", "first"]


def test_many_workers_at_once_share_the_work_without_overlap(night):
    ids = [row.id for row in plan(night)]
    won: list[int] = []

    def work(name: str) -> None:
        engine = make_engine(night.address)
        for one in ids:
            with write(engine) as connection:
                won.extend(lease(connection, [one], name))
        engine.dispose()

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == ids


def test_an_expired_lease_is_anybodys_and_the_late_worker_is_told(night):
    row = plan(night)[0]
    do(night, lease, [row.id], "slow", seconds=-1)
    assert do(night, lease, [row.id], "quick") == [row.id]
    assert do(night, heartbeat, [row.id], "slow") == []
    with pytest.raises(ConflictError, match=r"not leased by slow \(any more\): it is leased by quick"):
        do(night, finish, row.id, "slow")
    do(night, finish, row.id, "quick")
    outcomes = night.sql("SELECT number, worker, outcome FROM quantum_attempt ORDER BY number")
    assert [tuple(one) for one in outcomes] == [(1, "slow", "lost"), (2, "quick", "done")]


def test_a_heartbeat_prolongs_a_lease_that_is_about_to_end(night):
    row = plan(night)[0]
    do(night, lease, [row.id], "w", seconds=-1)
    assert do(night, heartbeat, [row.id], "w", 600) == [row.id]
    assert do(night, lease, [row.id], "other") == []


def test_a_failure_is_kept_with_how_and_may_be_retried_or_not(night):
    ids = [row.id for row in plan(night)][:2]
    do(night, lease, ids, "w")
    error = QuantumFailure("MemoryError", "too big", "Traceback ...", 1.5, 1.0, 2**30)
    do(night, fail, ids[0], "w", error)
    do(night, fail, ids[1], "w", error, retriable=False)
    with night.read() as connection:
        row = quanta(connection, "products", states=["failed"])[0]
    assert (row.error_kind, row.error_message, row.seconds, row.peak_rss_bytes) == (
        "MemoryError",
        "too big",
        1.5,
        2**30,
    )
    assert do(night, lease, ids, "again") == ids[:1]


def test_the_work_of_a_dead_worker_is_released(night):
    ids = [row.id for row in plan(night)]
    do(night, lease, ids[:2], "dead")
    with night.read() as connection:
        seen = quanta(connection)
    assert do(night, release, seen) == ids[:2]
    assert states(night) == ["planned"] * 4
    assert do(night, lease, ids[:1], "alive") == ids[:1]
    assert do(night, release, seen) == [], "whoever read the rows before must not take the new lease away"


def test_quanta_are_listed_by_state_and_day(night):
    plan(night)
    with night.read() as connection:
        assert len(quanta(connection, states=["planned"], day_obs=20260301)) == 4
        assert quanta(connection, day_obs=20260302) == quanta(connection, states=["done"]) == []
        with pytest.raises(UnknownName, match="no state of a quantum 'plannd'; did you mean 'planned'"):
            quanta(connection, states=["plannd"])


def test_a_quantum_may_be_about_a_detector_without_an_exposure(night):
    data_id = DataId("lupine", None, 0, "r")
    inputs = tuple((f"raw:{i}", spec.inputs[0][1]) for i, spec in enumerate(night.specs))
    row = plan(night, [QuantumSpec("make_flat", data_id, inputs, (), "key")])[0]
    with night.read() as connection:
        found = quantum_inputs(connection, row.id)
    assert row.data_id == data_id
    assert sorted(found.data) == ["raw:0", "raw:1", "raw:2", "raw:3"]
    assert found.calibs == {}


def test_what_is_not_registered_cannot_be_planned(night):
    with pytest.raises(UnknownName, match="no collection 'nowhere'"):
        do(night, plan_quanta, "nowhere", night.specs, **PARTS)
    with pytest.raises(UnknownName, match="inputs are not registered"):
        plan(night, [replace(night.specs[0], inputs=(("raw", quantum_uuid("x", "y", DataId("z"))),))])
    with pytest.raises(UnknownName, match="no quantum '99'"):
        do(night, finish, 99, "w")
