"""Corrected cards of headers, and the exposures that follow from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, UnknownName, UserError
from registry.refs import DataId
from registry.sql.events import events, newest_seq
from registry.sql.exposures import exposures_by_number, load_exposures
from registry.sql.header_corrections import correct_headers, correction_rows, corrections_of, restore_headers
from tests.registry.world import World

SAID = {"actor": "ada", "reason": "shutter log"}


def on(exposure, detector=None):
    return DataId("lupine", exposure, detector)


@pytest.fixture
def exposed(world):
    for number in (1, 2, 3):
        world.expose(number, 10 * number, 10 * number + 5)
    return world


def cards(connection, *targets, as_of=None):
    found = corrections_of(connection, targets, as_of)
    return [found.get(target, {}) for target in targets]


@pytest.mark.parametrize("value", [30, 30.0, 2.5e-300, "30", "", True, False, None])
def test_a_value_keeps_its_type(exposed, value):
    with exposed.write() as connection:
        correct_headers(connection, [on(1)], "KEY", value, **SAID)
        (found,) = cards(connection, on(1, 0))
        (row,) = correction_rows(connection)
    assert found == {"KEY": value}
    assert type(found["KEY"]) is type(value)
    assert (row.data_id, row.keyword, row.value, row.actor, row.reason) == (on(1), "KEY", value, "ada", "shutter log")


def test_the_last_word_counts_detector_by_detector(exposed):
    with exposed.write() as connection:
        first = correct_headers(connection, [on(1)], "KEY", 1, **SAID).seq
        second = correct_headers(connection, [on(1, 2)], "KEY", 2, **SAID).seq
        assert cards(connection, on(1, 0), on(1, 2)) == [{"KEY": 1}, {"KEY": 2}]
        third = correct_headers(connection, [on(1)], "KEY", 1, **SAID)  # detector 2 says something else till now
        assert third.changed == (on(1),)
        assert cards(connection, on(1, 0), on(1, 2)) == [{"KEY": 1}, {"KEY": 1}]
        assert cards(connection, on(1, 0), on(1, 2), as_of=second) == [{"KEY": 1}, {"KEY": 2}]
        assert cards(connection, on(1, 0), on(1, 2), as_of=first) == [{"KEY": 1}, {"KEY": 1}]
        assert cards(connection, on(1, 0), as_of=first - 1) == [{}]
        assert len(correction_rows(connection)) == 1
        assert len(correction_rows(connection, history=True)) == 3


def test_what_says_so_already_is_left_alone_and_costs_no_event(exposed):
    with exposed.write() as connection:
        correct_headers(connection, [on(1)], "KEY", 1, **SAID)
        before = newest_seq(connection)
        again = correct_headers(connection, [on(1), on(1, 2)], "KEY", 1, **SAID)
        assert (again.seq, again.changed, again.unchanged) == (None, (), (on(1), on(1, 2)))
        assert restore_headers(connection, [on(2)], "KEY", **SAID).unchanged == (on(2),)
        assert newest_seq(connection) == before
        assert correct_headers(connection, [on(1)], "KEY", 1.0, **SAID).seq is not None  # of another type


def test_restoring_an_exposure_restores_its_detectors_but_not_the_other_way_round(exposed):
    with exposed.write() as connection:
        correct_headers(connection, [on(1), on(2, 0)], "KEY", 1, **SAID)
        with pytest.raises(
            ConflictError, match=r"corrected on all detectors, so one cannot be restored.*\n  exposure 1 d"
        ):
            restore_headers(connection, [on(1, 0)], "KEY", **SAID)
        correct_headers(connection, [on(1, 0)], "KEY", 2, **SAID)
        restore_headers(connection, [on(1, 0)], "KEY", **SAID)
        assert cards(connection, on(1, 0)) == [{"KEY": 1}]
        assert restore_headers(connection, [on(1), on(2)], "KEY", **SAID).changed == (on(1), on(2))
        assert correction_rows(connection) == []


def test_exposures_change_in_the_same_transaction_and_the_event_holds_both_sides(exposed):
    with exposed.write() as connection:
        (old,) = exposures_by_number(connection, "lupine", [1])
        new = replace(old, physical_filter="g", end_ns=old.end_ns + 7, readout_mode={"binning": 2}, ra_deg=None)
        correct_headers(connection, [on(1)], "FILTER", "g", changes=[(old, new)], **SAID)
        assert exposures_by_number(connection, "lupine", [1]) == [new]
        (event,) = events(connection, kind="header-correct")
    assert event.payload == {
        "keyword": "FILTER",
        "value": "g",
        "is_taken_away": False,
        "targets": [{"instrument": "lupine", "exposure": 1, "detectors": None}],
        "exposures": [
            {
                "instrument": "lupine",
                "exposure": 1,
                "old": {"physical_filter": "r", "end_ns": 15, "readout_mode": {}},
                "new": {"physical_filter": "g", "end_ns": 22, "readout_mode": {"binning": 2}},
            }
        ],
    }


def test_an_exposure_that_changed_meanwhile_or_would_be_another_one_is_refused_and_nothing_stays(exposed):
    with exposed.read() as connection:
        before = load_exposures(connection)
    old = before[0]
    wrong = [
        (
            [(replace(old, obs_type="dark"), replace(old, obs_type="flat"))],
            ConflictError,
            "changed these exposures meanwhile(.|\\n)*obs_type 'dark' -> 'science'",
        ),
        ([(old, replace(old, id=9))], ConflictError, "id 1 -> 9"),
        ([(old, replace(old, physical_filter="z"))], UnknownName, "no physical filter 'z'; it has g, r"),
    ]
    for changes, error, says in wrong:
        with pytest.raises(error, match=says), exposed.write() as connection:
            correct_headers(connection, [on(1)], "KEY", 1, changes=changes, **SAID)
    with exposed.read() as connection:
        assert load_exposures(connection) == before
        assert (correction_rows(connection), events(connection)) == ([], [])


def test_corrections_are_refused_whole(exposed):
    with exposed.write() as connection:
        with pytest.raises(UnknownName, match="no exposure 77, 88"):
            correct_headers(connection, [on(1), on(77), on(88)], "KEY", 1, **SAID)
        with pytest.raises(UserError, match="wants a reason"):
            correct_headers(connection, [on(1)], "KEY", 1, actor="ada", reason=" ")
        with pytest.raises(UserError, match="'key' is not the keyword of a card"):
            correct_headers(connection, [on(1)], "key", 1, **SAID)
        with pytest.raises(UserError, match="no exposure was named"):
            correct_headers(connection, [], "KEY", 1, **SAID)
        assert correction_rows(connection, history=True) == []


TARGETS = st.builds(on, st.integers(1, 2), st.none() | st.integers(0, 1))
STEPS = st.tuples(st.sampled_from([1, "a", None, "restore"]), st.lists(TARGETS, min_size=1, max_size=2, unique=True))


@settings(max_examples=10, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_cards_as_of_any_event_are_what_replaying_the_events_gives(tmp_path_factory, engine_kind, steps):
    """The oracle: what each detector's card says, changed by what the events say and nothing else."""
    with World(tmp_path_factory.mktemp("cards"), engine_kind) as world:
        for number in (1, 2):
            world.expose(number, 10 * number, 10 * number + 5)
        for value, targets in steps:
            with world.write() as connection:
                try:
                    if value == "restore":
                        restore_headers(connection, targets, "KEY", **SAID)
                    else:
                        correct_headers(connection, targets, "KEY", value, **SAID)
                except ConflictError:
                    assert value == "restore"
        with world.read() as connection:
            whole: dict = {}
            own: dict = {}
            for event in sorted(events(connection, limit=None), key=lambda one: one.seq):
                for item in event.payload["targets"]:
                    _replay(event, item, whole, own)
                for e in (1, 2):
                    for d in (0, 1):
                        said = own.get((e, d), whole.get(e, _NOTHING))
                        wanted = {} if said is _NOTHING else {"KEY": said}
                        assert cards(connection, on(e, d), as_of=event.seq) == [wanted], event


_NOTHING = object()


def _replay(event, item, whole: dict, own: dict) -> None:
    e, detectors = item["exposure"], item["detectors"]
    if detectors is None:
        for key in [key for key in own if key[0] == e]:
            del own[key]
        whole.pop(e, None)
    for d in detectors or ():
        own.pop((e, d), None)
    if event.kind == "header-correct":
        if detectors is None:
            whole[e] = event.payload["value"]
        own.update({(e, d): event.payload["value"] for d in detectors or ()})
