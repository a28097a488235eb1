"""Coverage of nights made by hand, compared with what the resolver says of every exposure."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.dimensions import ExposureRecord
from registry.errors import UnknownName
from registry.questions.coverage import STATES, coverage, representatives
from registry.questions.tonight import Planned, PlannedNight, Prospect, Tonight, tonight
from registry.questions.whatif import View, Want
from registry.refs import DataId, Policy
from registry.resolve import resolve

HERE = View(("calib",))
BOTH = {"bias": True, "flat": False}


def ask(world, data_ids, types=None, view=HERE):
    with world.read() as connection:
        return coverage(connection, [Want(data_ids, types or BOTH)], view)


def told(found):
    return {(cell.type, cell.physical_filter, cell.detector): cell.state for cell in found.cells}


def expose(world, number, day, begin, physical_filter="r"):
    from registry.sql.exposures import insert_exposures

    names = ("lupine", number, f"o{number}", day, number, physical_filter, "science", "", begin, begin + 2, 30.0)
    record = ExposureRecord(*names)
    with world.write() as connection:
        insert_exposures(connection, [record])
    return record


def test_the_worst_exposure_decides_for_the_night(world, work):
    data_ids = [work.raw(n).data_id for n in (1, 2, 3)]  # mid-exposure at 11, 21, 31
    data_ids += [DataId("lupine", n, 1) for n in (1, 2, 3)]
    world.certify(world.calib("calibs/1"), 0, 25)
    world.certify(world.calib("calibs/1", detector=1), 0, 100)
    world.certify(world.calib("calibs/1", "flat", 0, "r"), 0, 100)
    found = ask(world, data_ids)
    assert told(found) == {
        ("bias", None, 0): "missing",
        ("bias", None, 1): "certified",
        ("flat", "r", 0): "certified",
        ("flat", "r", 1): "absent",  # not required
    }
    (cell,) = [one for one in found.cells if one.state == "missing"]
    assert (cell.exposure, cell.night) == (3, 20260301)
    assert cell.detail.startswith("GAP")
    assert not found.is_complete
    assert found.rows() == [
        {"night": 20260301, "bias": "1 missing of 2 detectors", "flat/r": "1 absent of 2 detectors"}
    ]
    text = found.render()
    assert "missing: bias of nights 20260301, detectors 0: GAP" in text
    assert "  why: isrflow explain 3 0 bias" in text


def test_a_fallback_is_told_with_its_policy(world, work):
    data_ids = [work.raw(n).data_id for n in (1, 2)]
    world.certify(world.calib("calibs/1"), 0, 15)
    view = View(("calib",), policies={"bias": Policy("nearest", 10)})
    found = ask(world, data_ids, {"bias": True}, view)
    assert told(found) == {("bias", None, 0): "fallback"}
    assert found.is_complete
    assert "fallback: bias of nights 20260301, detectors 0: the nearest is taken" in found.render()


def test_what_no_exposure_asks_for_is_nothing(world, work):
    world.certify(world.calib("calibs/1"), 0, 9)
    assert ask(world, []).render() == "no exposures to be covered"


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), nearest=st.booleans())
def test_representatives_stand_for_every_exposure(world, work, seed, nearest):
    choose = random.Random(seed)
    home = f"calib/{next(work.numbers)}-{seed}"
    view = View((home,), policies={"bias": Policy("nearest", choose.randint(1, 9))} if nearest else None)
    for n in range(choose.randint(1, 4)):
        begin = choose.randint(0, 60)
        bias = world.calib(f"{home}/{n}")
        world.certify(bias, begin, begin + choose.randint(1, 20), collection=home, mode="replace")
    first = 1000 * next(work.numbers)
    records = [expose(world, first + n, 20260301 + n % 2, choose.randint(0, 80), choose.choice("rg")) for n in range(9)]
    with world.read() as connection:
        some = representatives(connection, records, ["bias"], view)
        found = coverage(connection, [Want([DataId("lupine", one.id, 0) for one in some], {"bias": True})], view)
        every = resolve(
            connection, [DataId("lupine", one.id, 0) for one in records], {"bias": True}, [home],
            policies=view.policies,
        )  # fmt: skip
    worst: dict[int, int] = {}
    for one in records:
        match = every.matches[DataId("lupine", one.id, 0)].get("bias")
        state = "missing" if match is None else "fallback" if match.kind == "nearest" else "certified"
        worst[one.day_obs] = max(worst.get(one.day_obs, 0), STATES.index(state))
    assert {cell.night: STATES.index(cell.state) for cell in found.cells} == worst


def prospects(world, *needs, instants=(100, 200, 300), view=HERE):
    with world.read() as connection:
        return tonight(connection, PlannedNight("lupine", 20260305, instants, needs), view)


def test_tonight_is_covered_if_all_of_it_is(world):
    world.certify(world.calib("calibs/1"), 0, 250)
    world.certify(world.calib("calibs/1", detector=1), 0, 1000)
    world.certify(world.calib("calibs/1", "flat", 0, "r"), 0, 1000)
    needs = [Planned("r", n, {"bias": True, "flat": True}) for n in (0, 1)]
    found = prospects(world, *needs)
    states = {(one.type, one.physical_filter, one.state): one.detectors for one in found.prospects}
    assert states == {
        ("bias", None, "missing"): (0,),
        ("bias", None, "certified"): (1,),
        ("flat", "r", "missing"): (1,),
        ("flat", "r", "certified"): (0,),
    }
    assert found.to_take() == ["bias exposures", "flat exposures through r"]
    assert found.commands() == [
        "isrflow calibs build bias flat --night 20260305 --out calibs/20260305",
        "isrflow calibs certify calibs/20260305 --begin 20260305 --mode replace",
    ]
    assert "nothing is valid of part of the night" in found.render()


def test_tonight_by_a_fallback_is_told_and_complete(world):
    world.certify(world.calib("calibs/1"), 0, 150)
    view = View(("calib",), policies={"bias": Policy("nearest", 1000)})
    found = prospects(world, Planned("r", 0, {"bias": True}), view=view)
    assert [(one.state, one.type) for one in found.prospects] == [("fallback", "bias")]
    assert found.is_complete
    assert found.to_take() == ["bias exposures"]  # better than to fall back


def test_tonight_what_is_not_required_is_only_mentioned(world):
    world.certify(world.calib("calibs/1"), 0, 1000)
    found = prospects(world, Planned("r", 0, {"bias": True, "flat": False}))
    assert {one.type: one.state for one in found.prospects} == {"bias": "certified", "flat": "absent"}
    assert (found.is_complete, found.commands()) == (True, [])


def test_tonight_says_for_which_exposures_a_type_is_missing_where_others_can_do_without():
    both = (("missing", "science"), ("absent", "flat"))
    prospects = tuple(Prospect("defects", None, state, (0, 1), "why", (kind,)) for state, kind in both)
    other = Prospect("bias", None, "certified", (0, 1), "", ("science",))
    told = Tonight(20260305, (*prospects, other)).render().splitlines()
    assert "  missing    defects on detectors 0-1 for science: why" in told
    assert "  absent     defects on detectors 0-1 for flat: why" in told
    assert "  certified  bias on detectors 0-1" in told


def test_tonight_knows_its_filters_and_detectors(world):
    world.certify(world.calib("calibs/1"), 0, 1000)
    with pytest.raises(UnknownName, match="no physical filter 'z'"):
        prospects(world, Planned("z", 0, {"flat": True}))
    with pytest.raises(UnknownName, match="no detector '7'"):
        prospects(world, Planned("r", 7, {"bias": True}))


def test_tonight_matches_readout_modes_where_the_type_does(world):
    from dataclasses import replace

    from registry.sql.dataset_types import match_modes
    from registry.sql.exposures import insert_exposures

    record = ExposureRecord("lupine", 1, "o1", 20260301, 1, "r", "bias", "", 10, 12, 0.0)
    with world.write() as connection:
        insert_exposures(connection, [replace(record, readout_mode={"speed": "slow"})])
        match_modes(connection, "bias", actor="ada", reason="two speeds")
    world.certify(world.calib("calibs/1"), 0, 1000, readout_mode={"speed": "slow"})
    states = [
        prospects(world, Planned("r", 0, {"bias": True}, readout_mode=mode)).prospects[0].state
        for mode in ({"speed": "slow"}, {"speed": "fast"}, {})
    ]
    assert states == ["certified", "missing", "missing"]
