"""Finding one calibration: always what resolving finds, by the short way where there is one."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import event

from registry.errors import UnknownName, UserError
from registry.finding import find_calibration
from registry.refs import DataId
from registry.resolve import resolve
from registry.sql.collections import register_collection, set_chain
from registry.sql.events import append_event
from registry.sql.notes import mark

PATHS = (["calib"], ["calib", "old"], ["old", "calib"], ["chain"], ["run/0", "calib"], ["calib", "run/0"])


@pytest.fixture
def story(world):
    """A random history in two collections: ranges that touch, gape and are taken back, and datasets marked bad."""
    dice = random.Random(20260301)
    refs = {d: [world.calib(f"run/{n}", detector=d) for n in range(4)] for d in range(2)}
    for _ in range(40):
        d, begin = dice.randrange(2), dice.randrange(0, 60)
        options = {"collection": dice.choice(["calib", "old"])}
        span = (begin, begin + dice.randrange(1, 25))
        if dice.random() < 0.75:
            world.certify(dice.choice(refs[d][1:]), *span, mode="replace", **options)
        else:
            world.decertify(dice.choice(refs[d]), *span, **options)
    chain(world, "calib", "old")
    with world.write() as connection:
        mark(connection, [refs[0][1]], "bad", actor="ada", reason="stray light")
    spans = [(dice.randrange(60), dice.randrange(8)) for _ in range(30)]
    return world, [world.expose(i, begin, begin + length) for i, (begin, length) in enumerate(spans)]


def chain(world, *children: str) -> None:
    """Change a chain as every change is made: with an event."""
    with world.write() as connection:
        set_chain(connection, "chain", children)
        append_event(connection, "chain", actor="ada", payload={"chain": "chain", "children": list(children)})


@pytest.mark.parametrize("path", PATHS, ids=",".join)
def test_what_is_found_is_what_resolving_finds(story, path):
    world, exposures = story
    with world.read() as connection:
        for one in exposures:
            for detector in (0, 1):
                data_id = DataId(one.instrument, one.exposure, detector)
                expected = resolve(connection, [data_id], {"bias": False}, path).matches[data_id].get("bias")
                assert find_calibration(connection, "bias", data_id, path) == expected, data_id


def test_a_plain_case_takes_one_statement(world):
    world.certify(world.calib("run/0"), 0, 100)
    data_id = world.expose(1, 10, 20)
    with world.read() as connection:
        find_calibration(connection, "bias", data_id, ["calib"])
        seen: list[str] = []
        event.listen(world.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        assert find_calibration(connection, "bias", data_id, ["calib"]) is not None
    assert len(seen) == 1


def test_what_others_change_is_seen_at_once(world):
    first, second = world.calib("run/0"), world.calib("run/1")
    world.certify(first, 0, 100)
    data_id = world.expose(1, 10, 20)

    def found():
        with world.read() as connection:
            match = find_calibration(connection, "bias", data_id, ["chain"])
        return match and match.ref.id

    chain(world, "calib")
    assert found() == first.id
    with world.write() as connection:
        register_collection(connection, "empty", "CALIBRATION")
    chain(world, "empty")
    assert found() is None
    world.certify(second, 0, 100, collection="empty")
    assert found() == second.id
    with world.write() as connection:
        mark(connection, [second], "bad", actor="ada", reason="stray light")
    assert found() is None


def test_flats_are_matched_by_filter_and_named_with_it(world):
    red, green = (world.calib("run/0", "flat", 0, name) for name in "rg")
    world.certify([red, green], 0, 100)
    data_id = world.expose(1, 10, 20, "g")
    with world.read() as connection:
        match = find_calibration(connection, "flat", data_id, ["calib"])
    assert match.ref.id == green.id
    assert match.ref.data_id == DataId("lupine", None, 0, "g")


def test_the_past_is_found_as_it_was(world):
    world.certify(world.calib("run/0"), 0, 100)
    data_id = world.expose(1, 10, 20)
    diff = world.certify(world.calib("run/1"), 0, 100, mode="replace")
    with world.read() as connection:
        then = find_calibration(connection, "bias", data_id, ["calib"], as_of=diff.event_seq - 1)
        now = find_calibration(connection, "bias", data_id, ["calib"])
    assert (then.ref.run, now.ref.run) == ("run/0", "run/1")


@pytest.mark.parametrize(
    ("type_name", "data_id", "path", "error"),
    [
        ("bais", DataId("lupine", 1, 0), ["calib"], UnknownName),
        ("bias", DataId("lupine", 2, 0), ["calib"], UnknownName),
        ("bias", DataId("lupine", 1, 7), ["calib"], UnknownName),
        ("bias", DataId("lupine", 1, 0), ["calip"], UnknownName),
        ("bias", DataId("lupine", None, 0), ["calib"], UserError),
    ],
)
def test_unknown_names_are_refused_as_resolving_refuses_them(world, type_name, data_id, path, error):
    world.certify(world.calib("run/0"), 0, 100)
    world.expose(1, 10, 20)
    with world.read() as connection, pytest.raises(error):
        find_calibration(connection, type_name, data_id, path)
