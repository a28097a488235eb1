"""Frozen contexts: named, citable, the same for ever; a run keeps to the one it was begun with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from registry.errors import ConflictError, UnknownName, UserError
from registry.explain import explain
from registry.refs import Policy
from registry.resolve import resolve
from registry.sql.collections import register_collection, set_chain
from registry.sql.contexts import bind_run, contexts, freeze_context, load_context, verify_contexts
from registry.sql.events import append_event, events, newest_seq
from registry.sql.policies import set_policy
from registry.times import SECOND_NS, parse_time


def freeze(world, name="dr1", collections=("calib",), **options):
    with world.write() as connection:
        return freeze_context(connection, name, list(collections), actor="ada", **options)


def ask(world, data_id, **options):
    with world.read() as connection:
        return resolve(connection, [data_id], {"bias": True}, **options)


def test_a_context_gives_the_same_after_everything_has_changed(world):
    old, new = world.calib("run/old"), world.calib("run/new")
    world.certify(old, 0, 100)
    with world.write() as connection:
        set_chain(connection, "default", ["calib"], actor="ada")
    data_id = world.expose(1, 10, 20)
    row = freeze(world, collections=["default"], doc="first release")
    assert (row.path, row.kinds, row.doc, row.owner) == (("calib",), ("CALIBRATION",), "first release", "ada")
    world.certify(new, 0, 100, mode="replace")
    with world.write() as connection:
        set_chain(connection, "default", ["run/new"], actor="ada")
        set_policy(connection, "bias", Policy("skip"), actor="ada", reason="test")
    answer = ask(world, data_id, context="dr1")
    assert (answer.matches[data_id]["bias"].ref, answer.context.name, answer.as_of) == (old, "dr1", row.event_seq)
    assert answer.policies["bias"] == Policy("error")
    assert ask(world, data_id, collections=["default"]).matches[data_id]["bias"].ref == new


def test_what_a_context_found_and_is_purged_now_is_still_the_answer_with_a_warning(world):
    ref = world.calib("run/1")
    world.certify(ref, 0, 100)
    data_id = world.expose(1, 10, 20)
    freeze(world)
    world.sql("UPDATE dataset SET status = 'PURGED' WHERE uuid = ?", ref.id.hex)
    match = ask(world, data_id, context="dr1").matches[data_id]["bias"]
    assert match.ref.id == ref.id
    assert match.warning == "GONE: it was there as of event 1, but is PURGED now; restore its file, or ask as of now"
    assert ask(world, data_id, collections=["calib"]).missing[0].reason == "NOT_LIVE"


def test_a_clock_that_is_set_back_brings_nothing_into_a_context_and_takes_nothing_out(world, monkeypatch):
    clock = [parse_time("2026-03-02T00:00:00")]
    monkeypatch.setattr("registry.times.time.time_ns", lambda: clock[0])
    old = world.calib("run/1", detector=0)
    clock[0] -= 3600 * SECOND_NS
    data_id = world.expose(1, 10, 20)
    freeze(world, "before", ["run/1"], as_of=append(world))
    clock[0] -= 3600 * SECOND_NS
    append(world)
    late = world.calib("run/1", detector=1)
    other = replace(data_id, detector=1)
    assert ask(world, data_id, context="before").matches[data_id]["bias"].ref == old
    assert ask(world, other, context="before").missing
    assert ask(world, other, collections=["run/1"]).matches[other]["bias"].ref == late


def append(world) -> int:
    with world.write() as connection:
        return append_event(connection, "note", actor="ada")


def test_the_hash_covers_collections_policies_and_the_event(world):
    world.certify(world.calib("run/1"), 0, 100)
    with world.write() as connection:
        set_policy(connection, "bias", Policy("nearest", 5), actor="ada", reason="test")
        seq = newest_seq(connection)
        (event,) = [one for one in events(connection) if one.seq == seq]
    row = freeze(world)
    sealed = {
        "collections": [["calib", "CALIBRATION"]],
        "policies": {"bias": {"max_gap_ns": 5, "on_missing": "nearest"}},
        "event": [seq, event.hash],
    }
    spelled = json.dumps(sealed, sort_keys=True, separators=(",", ":"))
    assert row.sha256 == hashlib.sha256(spelled.encode()).hexdigest()
    assert row.cited == f"dr1 (sha256 {row.sha256})"
    with world.read() as connection:
        assert verify_contexts(connection) == []


def test_a_name_is_given_once(world):
    world.certify(world.calib("run/1"), 0, 100)
    row = freeze(world)
    world.certify(world.calib("run/2", detector=1), 0, 100)
    with pytest.raises(
        ConflictError, match=r"there is a context dr1 already, frozen as of event 1; it cannot be changed"
    ):
        freeze(world)
    assert freeze(world, as_of=row.event_seq) == row
    later = freeze(world, "dr2")
    assert later.sha256 != row.sha256
    with world.read() as connection:
        assert [one.name for one in contexts(connection)] == ["dr1", "dr2"]
        with pytest.raises(UnknownName, match="there is no context 'dr3'; did you mean 'dr"):
            load_context(connection, "dr3")


def test_what_cannot_be_frozen_is_refused(world):
    with world.write() as connection:
        register_collection(connection, "calib", "CALIBRATION")
    with pytest.raises(UserError, match="nothing has happened in this registry yet"):
        freeze(world)
    world.certify(world.calib("run/1"), 0, 100)
    for name in ("", "a b", "x'y", "dr*"):
        with pytest.raises(UserError, match="cannot name a context"):
            freeze(world, name)
    with pytest.raises(UserError, match="a context of no collections"):
        freeze(world, collections=())
    with pytest.raises(UserError, match="there is no event 9 yet"):
        freeze(world, as_of=9)


def test_what_a_context_fixes_cannot_be_given_with_it(world):
    world.certify(world.calib("run/1"), 0, 100)
    data_id = world.expose(1, 10, 20)
    freeze(world)
    for given in ({"collections": ["calib"]}, {"as_of": 1}, {"policies": {"bias": Policy("skip")}}):
        with pytest.raises(UserError, match="context dr1 is frozen: it says itself where to search"):
            ask(world, data_id, context="dr1", **given)
    with world.read() as connection:
        explanation = explain(connection, 1, 0, "bias", context="dr1")
    assert "context: dr1\nas of event 1" in explanation.render()


def test_a_run_keeps_to_the_context_it_was_begun_with(world):
    world.certify(world.calib("run/1"), 0, 100)
    for name in ("dr1", "dr2"):
        freeze(world, name)
    with world.write() as connection:
        register_collection(connection, "night/1", "RUN")
        bind_run(connection, "night/1", "dr1")
        bind_run(connection, "night/1", "dr1")
        with pytest.raises(
            ConflictError, match="run night/1 was begun with context dr1; it cannot go on with context dr2"
        ):
            bind_run(connection, "night/1", "dr2")
        with pytest.raises(ConflictError, match="begun with context dr1; it cannot go on with no context"):
            bind_run(connection, "night/1", None)
