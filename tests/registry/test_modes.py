"""Readout mode as a matched property: only for types that say so, taken from the raws, never a wildcard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.dimensions import ExposureRecord
from registry.errors import ConflictError, UnknownName, UserError
from registry.explain import explain
from registry.refs import DataId, DatasetRef, DatasetType, QuantumSpec, dataset_uuid
from registry.resolve import resolve
from registry.sql import tables as t
from registry.sql.collections import register_collection
from registry.sql.contexts import freeze_context
from registry.sql.dataset_types import dataset_types, match_modes, register_dataset_types
from registry.sql.datasets import dataset_rows, insert_datasets
from registry.sql.exposures import insert_exposures
from registry.sql.quantum_plans import plan_quanta
from registry.sql.raw_modes import raw_modes
from registry.sql.validity_seal import verify_validity
from tests.registry.world import TYPES, drop_guard

FAST, SLOW = {"speed": "fast"}, {"speed": "slow", "binning": 2}


def expose(world, number: int, mode: dict, begin: int = 10) -> DataId:
    record = ExposureRecord("lupine", number, f"o{number}", 20260301, number, "r", "bias", "", begin, begin + 4, 4e-9)
    with world.write() as connection:
        insert_exposures(connection, [replace(record, readout_mode=mode)])
    return DataId("lupine", number, 0)


def made_of(world, run: str, raws: list[DataId], kind: str = "bias", detector: int = 0) -> DatasetRef:
    """Make a master of raws, as far as the registry's rows go."""
    data_id = DataId("lupine", None, detector)
    inputs = [DatasetRef(dataset_uuid("raw/all", "raw", one), "raw", "raw/all", one) for one in raws]
    master = DatasetRef(dataset_uuid(run, kind, data_id), kind, run, data_id)
    spec = QuantumSpec("make", data_id, tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in inputs), (), run)
    with world.write() as connection:
        for name in ("raw/all", run):
            register_collection(connection, name, "RUN")
        insert_datasets(connection, [ref for ref in inputs if ref.id not in dataset_rows(connection, [ref.id])])
        (quantum,) = plan_quanta(connection, run, [spec], config={}, software={})
        (row,) = insert_datasets(connection, [master]).values()
        connection.execute(t.quantum_output.insert().values(dataset_id=row, quantum_id=quantum.id, role=kind))
    return master


@pytest.fixture
def by_mode(world):
    """A world in which biases are matched by mode, with an exposure in each of two modes."""
    with world.write() as connection:
        assert match_modes(connection, "bias", actor="ada", reason="two speeds") == 1
        assert match_modes(connection, "bias") is None
    return world


def found(world, data_id, path=("calib",), kind="bias"):
    with world.read() as connection:
        result = resolve(connection, [data_id], {kind: True}, path)
    match = result.matches[data_id].get(kind)
    return (match.ref, "") if match else (result.missing[0].reason, result.missing[0].detail)


def test_each_exposure_gets_the_master_made_in_its_own_mode(by_mode):
    fast, slow, none = (expose(by_mode, n, mode) for n, mode in enumerate((FAST, SLOW, {}), 1))
    masters = [made_of(by_mode, f"run/{one.exposure}", [one]) for one in (fast, slow)]
    for master in masters:
        by_mode.certify(master, 0, 100)  # the same range: they are calibrations of different modes
    assert [found(by_mode, one)[0] for one in (fast, slow)] == masters
    reason, detail = found(by_mode, none)
    assert (reason, detail.split(", ")[-1]) == ("MODE_MISMATCH", "the exposure was taken in none")
    with by_mode.read() as connection:
        explanation = explain(connection, 1, 0, "bias", ["calib"])
    assert [one.code for one in explanation.candidates] == ["CHOSEN", "MODE_MISMATCH"]
    assert 'readout mode {"speed":"fast"}' in explanation.render()


def test_other_types_are_matched_as_ever(by_mode):
    fast = expose(by_mode, 1, FAST)
    camera = by_mode.calib("run/1", "camera")
    by_mode.certify(camera, 0, 100)
    assert found(by_mode, fast, kind="camera")[0] == camera


def test_a_master_in_a_run_of_the_path_serves_its_mode_alone(by_mode):
    fast, slow = expose(by_mode, 1, FAST), expose(by_mode, 2, SLOW)
    master, unknown = made_of(by_mode, "run/1", [fast]), by_mode.calib("run/2")
    assert found(by_mode, fast, ("run/2", "run/1"))[0] == master
    assert found(by_mode, slow, ("run/2", "run/1"))[0] == "MODE_MISMATCH"
    reason, detail = found(by_mode, slow, ("run/2",))
    assert (reason, unknown.run) == ("MODE_MISMATCH", "run/2")
    assert detail.endswith('the exposure was taken in {"binning":2,"speed":"slow"}')


def test_masters_of_masters_have_the_mode_of_the_raws_at_the_bottom(by_mode):
    fast = expose(by_mode, 1, FAST)
    master = made_of(by_mode, "run/1", [fast])
    data_id = DataId("lupine", None, 1)
    derived = by_mode.dataset("run/9", "bias", data_id)
    spec = QuantumSpec("derive", data_id, (("dark", master.id),), (), "k")
    with by_mode.write() as connection:
        (quantum,) = plan_quanta(connection, "run/9", [spec], config={}, software={})
        row = dataset_rows(connection, [derived.id])[derived.id]
        connection.execute(t.quantum_output.insert().values(dataset_id=row, quantum_id=quantum.id, role="bias"))
        loose = dataset_rows(connection, [master.id])[master.id]
        modes = raw_modes(connection, [row, loose])
    assert modes[row] == modes[loose]
    assert len(modes[row]) == 1


def test_a_mode_that_nobody_knows_or_that_is_mixed_is_not_guessed(by_mode):
    fast, slow = expose(by_mode, 1, FAST), expose(by_mode, 2, SLOW)
    imported, mixed = by_mode.calib("run/1"), made_of(by_mode, "run/2", [fast, slow], detector=1)
    with pytest.raises(ConflictError) as caught:
        by_mode.certify([imported, mixed], 0, 100)
    text = str(caught.value)
    assert f"bias {imported.short} was made of no raws; nobody knows its readout mode" in text
    assert f"bias {mixed.short} was made of raws of several readout modes" in text
    assert "fix: --readout-mode KEY=VALUE,..." in text
    with pytest.raises(UnknownName, match=r'no exposure was taken in readout mode {"speed":"odd"}'):
        by_mode.certify(imported, 0, 100, readout_mode={"speed": "odd"})
    by_mode.certify(imported, 0, 100, readout_mode=SLOW)
    assert found(by_mode, slow)[0] == imported
    with pytest.raises(ConflictError, match="was made of raws of readout mode"):
        by_mode.certify(made_of(by_mode, "run/3", [fast]), 0, 100, readout_mode=SLOW)


def test_a_mode_is_said_only_of_types_that_are_matched_by_it(world):
    with pytest.raises(UserError, match="bias is not matched by readout mode; none can be given"):
        world.certify(world.calib("run/1"), 0, 100, readout_mode=FAST)


def test_replacing_and_splitting_keep_the_mode(by_mode):
    fast, slow = expose(by_mode, 1, FAST), expose(by_mode, 2, SLOW)
    one, other, new = (made_of(by_mode, f"run/{n}", [raw]) for n, raw in enumerate((fast, slow, fast)))
    by_mode.certify(one, 0, 100)
    by_mode.certify(other, 0, 100)
    by_mode.certify(new, 40, 60, mode="replace")
    by_mode.decertify(other, 40, 60)
    late = expose(by_mode, 3, FAST, begin=70)
    assert [found(by_mode, raw)[0] for raw in (fast, late, slow)] == [one, one, other]
    assert found(by_mode, expose(by_mode, 4, FAST, begin=50))[0] == new
    assert found(by_mode, expose(by_mode, 5, SLOW, begin=50))[0] in {"REVOKED", "MODE_MISMATCH"}


def test_a_mode_that_was_altered_behind_the_registrys_back_shows(by_mode):
    fast, slow = expose(by_mode, 1, FAST), expose(by_mode, 2, SLOW)
    by_mode.certify(made_of(by_mode, "run/1", [fast]), 0, 100)
    assert found(by_mode, slow)[0] == "MODE_MISMATCH"
    with by_mode.read() as connection:
        assert verify_validity(connection) == []
    with by_mode.write() as connection:
        drop_guard(connection, "calib_validity", "calib_validity_is_only_revoked")
    by_mode.sql("UPDATE calib_validity SET mode_id = (SELECT max(id) FROM readout_mode)")
    with by_mode.read() as connection:
        (problem,) = verify_validity(connection)
    assert problem == "the validity rows of event 2 (certify) are not those it recorded"


def test_existing_repositories_keep_matching_as_they_did(world):
    world.certify(world.calib("run/1"), 0, 100)
    with (
        pytest.raises(ConflictError, match="1 ranges of bias were certified without a readout mode"),
        world.write() as c,
    ):
        match_modes(c, "bias", reason="late")
    with world.write() as connection:
        with pytest.raises(ConflictError, match="raw is not a type of calibrations"):
            match_modes(connection, "raw")
        match_modes(connection, "flat", reason="early")
        register_dataset_types(connection, TYPES)  # a program that says nothing of modes does not contradict
        assert dataset_types(connection)["flat"].type.matches_mode
        with pytest.raises(ConflictError, match="other properties"):
            register_dataset_types(connection, [DatasetType("bias", ("instrument",), "fits", True)])
    assert found(world, expose(world, 1, FAST))[0] != "MODE_MISMATCH"


def test_what_a_frozen_context_finds_is_not_changed_by_matching_modes(world):
    world.certify(world.calib("run/1"), 0, 100)
    world.calib("run/1", "camera")
    with world.write() as connection:
        freeze_context(connection, "dr1", ["run/1"], actor="ada")
        match_modes(connection, "flat", reason="there is none yet")
        with pytest.raises(ConflictError, match=r"contexts were frozen \(dr1\) that may find camera in a run or tag"):
            match_modes(connection, "camera", reason="late")
