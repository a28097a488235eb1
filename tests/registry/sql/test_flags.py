"""Quality flags of exposures and detectors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from registry.errors import ConflictError, UnknownName, UserError
from registry.refs import DataId
from registry.sql import tables as t
from registry.sql.events import events, newest_seq
from registry.sql.flags import clear_flag, flag_column, flag_rows, flags_of, set_flag
from tests.registry.world import World

SAID = {"actor": "ada", "reason": "light leak"}


def on(exposure, detector=None):
    return DataId("lupine", exposure, detector)


@pytest.fixture
def exposed(world):
    for number in (1, 2, 3):
        world.expose(number, 10 * number, 10 * number + 5)
    return world


def test_a_flag_of_one_detector_is_of_that_detector_alone_and_one_of_none_is_of_all(exposed):
    with exposed.write() as connection:
        done = set_flag(connection, [on(1, 2), on(2)], "bad", **SAID)
        held = flags_of(connection, [on(1, 0), on(1, 2), on(2, 0), on(2, 1), on(3, 0)])
    assert done.changed == (on(1, 2), on(2))
    assert set(held) == {on(1, 2), on(2, 0), on(2, 1)}
    (row,) = held[on(2, 1)]
    assert (row.data_id, row.flag, row.actor, row.reason, row.added_at) == (on(2), "bad", "ada", "light leak", done.seq)
    assert row.render().startswith("flagged bad by ada on 20")
    assert row.render().endswith(f"UTC (event {done.seq}): light leak")


def test_the_event_says_who_flagged_what_and_why(exposed):
    with exposed.write() as connection:
        set_flag(connection, [on(2, 1), on(1), on(2, 0)], "suspect", **SAID)
        (event,) = events(connection, kind="flag")
    assert (event.actor, event.reason) == ("ada", "light leak")
    assert event.payload == {
        "flag": "suspect",
        "targets": [
            {"instrument": "lupine", "exposure": 1, "detectors": None},
            {"instrument": "lupine", "exposure": 2, "detectors": [0, 1]},
        ],
    }


def test_what_is_flagged_already_is_left_alone_and_costs_no_event(exposed):
    with exposed.write() as connection:
        set_flag(connection, [on(1)], "bad", **SAID)
        before = newest_seq(connection)
        again = set_flag(connection, [on(1), on(1, 2)], "bad", **SAID)
        assert (again.seq, again.changed, again.unchanged) == (None, (), (on(1), on(1, 2)))
        assert clear_flag(connection, [on(2)], "bad", **SAID).unchanged == (on(2),)
        assert newest_seq(connection) == before


def test_clearing_an_exposure_clears_its_detectors_but_not_the_other_way_round(exposed):
    with exposed.write() as connection:
        set_flag(connection, [on(1, 0), on(1, 2), on(2)], "bad", **SAID)
        with pytest.raises(
            ConflictError, match=r"flagged on all detectors, so one cannot be cleared.*\n  exposure 2 d"
        ):
            clear_flag(connection, [on(1, 0), on(2, 1)], "bad", **SAID)
        assert len(flag_rows(connection)) == 3
        assert clear_flag(connection, [on(1)], "bad", **SAID).changed == (on(1),)
        assert [row.data_id for row in flag_rows(connection)] == [on(2)]
        assert len(flag_rows(connection, history=True)) == 3


def test_bad_goes_before_suspect(exposed):
    with exposed.write() as connection:
        set_flag(connection, [on(1)], "suspect", **SAID)
        set_flag(connection, [on(1, 1)], "bad", **SAID)
        assert [row.flag for row in flags_of(connection, [on(1, 1)])[on(1, 1)]] == ["bad", "suspect"]
        e, d = t.exposure.c, t.detector.c
        query = select(e.number, d.number, flag_column(e.id, d.id)).where(e.number == 1)
        query = query.join_from(t.exposure, t.detector, d.instrument_id == e.instrument_id)
        assert list(map(tuple, connection.execute(query.order_by(d.number)))) == [
            (1, 0, "suspect"),
            (1, 1, "bad"),
            (1, 2, "suspect"),
        ]
        whole = select(e.number, flag_column(e.id)).where(e.id != t.NOT_APPLICABLE).order_by(e.number)
        assert list(map(tuple, connection.execute(whole))) == [(1, "bad"), (2, None), (3, None)]


def test_flags_are_refused_whole_with_all_that_is_unknown(exposed):
    with exposed.write() as connection:
        with pytest.raises(UnknownName, match="no exposure 77, 88"):
            set_flag(connection, [on(1), on(77), on(88)], "bad", **SAID)
        with pytest.raises(UnknownName, match="no detector 9"):
            set_flag(connection, [on(1, 9)], "bad", **SAID)
        with pytest.raises(UserError, match="'ugly' is not a quality flag; there is bad, suspect"):
            set_flag(connection, [on(1)], "ugly", **SAID)
        with pytest.raises(UserError, match="wants a reason"):
            set_flag(connection, [on(1)], "bad", actor="ada", reason="")
        with pytest.raises(UserError, match="no exposure was named"):
            set_flag(connection, [], "bad", **SAID)
        assert flag_rows(connection, history=True) == []


def test_a_dry_run_of_a_flag_changes_nothing(exposed):
    with exposed.read() as connection:
        assert set_flag(connection, [on(1)], "bad", **SAID, dry_run=True).changed == (on(1),)
        assert flag_rows(connection) == []


TARGETS = st.builds(on, st.integers(1, 3), st.none() | st.integers(0, 2))
STEPS = st.tuples(st.booleans(), st.lists(TARGETS, min_size=1, max_size=3), st.sampled_from(["bad", "suspect"]))


@settings(max_examples=10, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_flags_as_of_any_event_are_what_replaying_the_events_gives(tmp_path_factory, engine_kind, steps):
    """The oracle: a set of (flag, exposure, detector or None), changed by what the events say and nothing else."""
    with World(tmp_path_factory.mktemp("flags"), engine_kind) as world:
        for number in (1, 2, 3):
            world.expose(number, 10 * number, 10 * number + 5)
        for is_set, targets, flag in steps:
            change = set_flag if is_set else clear_flag
            with world.write() as connection:
                try:
                    change(connection, targets, flag, **SAID)
                except ConflictError:
                    assert not is_set
        with world.read() as connection:
            log = sorted(events(connection, limit=None), key=lambda event: event.seq)
            held: set = set()
            for event in log:
                held = _replayed(held, event)
                every = [on(e, d) for e in (1, 2, 3) for d in (0, 1, 2)]
                found = flags_of(connection, every, as_of=event.seq)
                now = {(row.flag, one.exposure, one.detector) for one, rows in found.items() for row in rows}
                assert now == {(flag, e, d) for flag, e, of in held for d in (0, 1, 2) if of is None or of == d}, event


def _replayed(held: set, event) -> set:
    flag = event.payload["flag"]
    for item in event.payload["targets"]:
        e, detectors = item["exposure"], item["detectors"]
        if event.kind == "flag":
            held = held | {(flag, e, d) for d in ([None] if detectors is None else detectors)}
        elif detectors is None:
            held = {one for one in held if one[:2] != (flag, e)}
        else:
            held = held - {(flag, e, d) for d in detectors}
    return held
