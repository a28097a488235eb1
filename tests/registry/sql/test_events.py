"""The chain of events shows whatever was done to it behind the registry's back."""

from __future__ import annotations

import json

import pytest

from registry.errors import InvalidTime, UserError
from registry.sql.events import append_event, events, newest_seq, seq_at, seq_of, verify_chain
from registry.sql.validity_seal import verify_validity
from registry.times import format_time
from tests.registry.world import drop_guard


@pytest.fixture
def log(world):
    with world.write() as connection:
        for i in range(4):
            append_event(connection, "note", actor="ada", reason=f"reason {i}", payload={"i": i})
    for trigger in ("registry_event_does_not_change", "registry_event_stays", "registry_event_follows_the_last"):
        with world.write() as connection:
            drop_guard(connection, "registry_event", trigger)
    return world


def problems(world) -> list[str]:
    with world.read() as connection:
        return verify_chain(connection)


def test_an_untouched_chain_is_whole_and_newest_first(log):
    assert problems(log) == []
    with log.read() as connection:
        assert [(event.seq, event.payload["i"]) for event in events(connection, limit=2)] == [(4, 3), (3, 2)]
        assert newest_seq(connection) == 4


@pytest.mark.parametrize(
    "column", ["actor = 'eve'", "reason = ''", "at_ns = at_ns + 1", "kind = 'x'", "payload = '{}'"]
)
def test_a_changed_event_shows(log, column):
    log.sql(f"UPDATE registry_event SET {column} WHERE seq = 2")
    assert problems(log) == [next(iter(problems(log)))]
    assert "event 2" in problems(log)[0]
    assert "was changed after it was written" in problems(log)[0]


def test_a_changed_event_with_a_new_hash_breaks_the_next_link(log):
    from registry.canonical import sha256_json

    row = dict(
        zip(
            ("seq", "at_ns", "actor", "kind", "reason", "payload", "prev_hash"),
            log.sql("SELECT * FROM registry_event WHERE seq = 2")[0],
            strict=False,
        )
    )
    row["actor"] = "eve"
    log.sql("UPDATE registry_event SET actor = 'eve', hash = ? WHERE seq = 2", sha256_json(row))
    assert problems(log) == ["event 3 does not follow the one before it: its link was broken"]


def test_a_removed_event_shows(log):
    log.sql("DELETE FROM registry_event WHERE seq = 2")
    assert problems(log)[0] == "event 2 is gone: the next one found is 3"


def test_altered_validity_rows_show_although_the_chain_is_whole(world):
    ref = world.calib("run/1")
    world.certify(ref, 0, 10)
    world.certify(world.calib("run/2"), 5, 8, mode="replace")
    with world.read() as connection:
        assert verify_validity(connection) == []
    with world.write() as connection:
        drop_guard(connection, "calib_validity", "calib_validity_is_only_revoked")
    world.sql("UPDATE calib_validity SET end_ns = 50 WHERE id = 1")
    with world.read() as connection:
        assert verify_validity(connection) == [
            "the validity rows of event 1 (certify) are not those it recorded",
            "the validity rows of event 2 (certify) are not those it recorded",
        ]


def test_a_clock_that_is_set_back_does_not_disorder_the_log(log, monkeypatch):
    monkeypatch.setattr("registry.sql.events.now_ns", lambda: 5)
    with log.write() as connection:
        append_event(connection, "late", actor="ada")
        first, *_, last = reversed(events(connection))
        assert last.at_ns >= first.at_ns > 5


def test_a_moment_is_the_last_event_by_then(world, monkeypatch):
    for time_ns in (100, 200, 200, 300):
        monkeypatch.setattr("registry.sql.events.now_ns", lambda value=time_ns: value)
        with world.write() as connection:
            append_event(connection, "note", actor="ada")
    with world.read() as connection:
        assert [seq_at(connection, t) for t in (99, 100, 199, 200, 250, 999)] == [0, 1, 1, 3, 3, 4]


def test_a_certification_is_logged_with_what_was_asked(world):
    world.certify(world.calib("run/1"), 3, 9, reason="after the warm-up")
    with world.read() as connection:
        event = events(connection)[0]
    assert (event.kind, event.actor, event.reason) == ("certify", "ada", "after the warm-up")
    assert json.loads(json.dumps(dict(event.payload)))["begin_ns"] == 3


def test_people_ask_as_of_a_number_or_a_time(log):
    with log.read() as connection:
        assert [seq_of(connection, text) for text in (2, "2", "0", "20200101", "2020-01-01T12:00", "now")] == [
            2,
            2,
            0,
            0,
            0,
            4,
        ]
        second = next(one for one in events(connection) if one.seq == 2)
        assert seq_of(connection, format_time(second.at_ns + 1_000_000)) >= 2
        with pytest.raises(UserError, match="there is no event 5 yet: the newest is 4"):
            seq_of(connection, "5")
        with pytest.raises(UserError, match=r"that is in the future \(2100-01-01T00:00:00.000 UTC\)"):
            seq_of(connection, "2100-01-01")
        with pytest.raises(InvalidTime, match="'yesterday' is not a time"):
            seq_of(connection, "yesterday")
