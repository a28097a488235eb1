"""What the database itself refuses, whoever asks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, FrozenError, ValidityOverlap
from registry.refs import DataId
from registry.sql.collection_edits import freeze
from registry.sql.collections import register_collection
from registry.sql.events import append_event
from registry.sql.tables import OPEN_ENDED
from tests.registry.world import World

INSERT = (
    "INSERT INTO calib_validity (collection_id, type_id, instrument_id, detector_id, filter_id, mode_id,"
    " begin_ns, end_ns, dataset_id, certified_at, revoked_at)"
    " SELECT c.id, d.type_id, d.instrument_id, d.detector_id, d.filter_id, 0, ?, ?, d.id, ?, ?"
    " FROM collection AS c, dataset AS d WHERE c.name = 'calib' AND d.uuid = ?"
)


def newest(world) -> int:
    return world.sql("SELECT coalesce(max(seq), 0) FROM registry_event")[0][0]


def new_event(world) -> int:
    with world.write() as connection:
        return append_event(connection, "test", actor="tester")


operations = st.lists(
    st.tuples(st.sampled_from(["insert", "revoke"]), st.integers(0, 8), st.integers(1, 6), st.integers(0, 2)),
    min_size=5,
    max_size=40,
)


@settings(max_examples=25)
@given(operations)
def test_random_histories_are_accepted_and_refused_as_by_brute_force(tmp_path_factory, engine_kind, steps):
    """The triggers give the verdicts of an exhaustive check, and no past event ever sees an overlap."""
    with World(tmp_path_factory.mktemp("guards"), engine_kind) as world:
        refs = [world.calib(f"run/{i}", detector=i % 2) for i in range(3)]
        with world.write() as connection:
            register_collection(connection, "calib", "CALIBRATION")
        rows: list[dict] = []  # what the table should hold
        entered = "SELECT max(id) FROM calib_validity"  # a refused row may have used up a number
        for what, begin, length, which in steps:
            clock = new_event(world)
            if what == "insert":
                clash = any(
                    row["key"] == which % 2
                    and row["revoked"] is None
                    and row["begin"] < begin + length
                    and begin < row["end"]
                    for row in rows
                )
                try:
                    world.sql(INSERT, begin, begin + length, clock, OPEN_ENDED, refs[which].id.hex)
                    accepted = True
                except ValidityOverlap:
                    accepted = False
                assert accepted != clash
                if accepted:
                    rows.append(
                        {"key": which % 2, "begin": begin, "end": begin + length, "certified": clock, "revoked": None}
                    )
                    rows[-1]["id"] = world.sql(entered)[0][0]
            elif rows:
                number = begin % len(rows)
                may = rows[number]["revoked"] is None
                if may:
                    world.sql("UPDATE calib_validity SET revoked_at = ? WHERE id = ?", clock, rows[number]["id"])
                    rows[number]["revoked"] = clock
                else:
                    with pytest.raises(ConflictError, match="only revoked_at may be closed, once"):
                        world.sql("UPDATE calib_validity SET revoked_at = ? WHERE id = ?", clock, rows[number]["id"])
        for as_of in range(newest(world) + 1):
            seen = [r for r in rows if r["certified"] <= as_of and (r["revoked"] is None or as_of < r["revoked"])]
            for i, one in enumerate(seen):
                for other in seen[:i]:
                    apart = one["end"] <= other["begin"] or other["end"] <= one["begin"] or one["key"] != other["key"]
                    assert apart
        assert world.sql("SELECT count(*) FROM calib_validity")[0][0] == len(rows)


@pytest.fixture
def certified(world):
    world.ref = world.calib("run/1")
    world.certify(world.ref, 0, 10)
    return world


@pytest.mark.parametrize(
    "change",
    [
        "begin_ns = -5",
        "end_ns = 50",
        "dataset_id = dataset_id + 1",
        "certified_at = certified_at - 1",
        "detector_id = 2",
        "id = 77",
        "revoked_at = 999",
        f"revoked_at = {OPEN_ENDED}",
    ],
)
def test_of_a_validity_row_nothing_changes_but_its_revocation(certified, change):
    new_event(certified)
    with pytest.raises(ConflictError):
        certified.sql(f"UPDATE calib_validity SET {change}")


def test_validity_rows_are_never_deleted(certified):
    with pytest.raises(ConflictError, match="validity rows are never deleted"):
        certified.sql("DELETE FROM calib_validity")


@pytest.mark.parametrize(("certified_at", "revoked_at"), [(0, OPEN_ENDED), (-1, OPEN_ENDED), (None, 10**6)])
def test_a_validity_row_enters_open_and_with_the_newest_event(certified, certified_at, revoked_at):
    seq = newest(certified) if certified_at is None else newest(certified) + certified_at - 1
    # PostgreSQL looks at foreign keys first: there is no event 0.
    with pytest.raises(ConflictError, match=r"must enter open, stamped with the newest event|FOREIGN KEY"):
        certified.sql(INSERT, 20, 30, seq, revoked_at, certified.ref.id.hex)


def test_a_validity_row_is_not_replaced(certified):
    """Replacing rows is a way of SQLite's own to delete them."""
    if certified.kind != "sqlite":
        return
    with pytest.raises(ConflictError, match="must enter open"):
        certified.sql(
            "INSERT OR REPLACE INTO calib_validity SELECT id, collection_id, type_id, instrument_id, detector_id,"
            " filter_id, mode_id, 20, 30, dataset_id, (SELECT max(seq) FROM registry_event),"
            " revoked_at FROM calib_validity"
        )


def test_a_validity_row_has_the_key_of_its_dataset(certified):
    with pytest.raises(ConflictError, match="has the key of its dataset"):
        certified.sql(
            INSERT.replace("d.detector_id, d.filter_id, 0", "2, d.filter_id, 0"),
            20,
            30,
            1,
            OPEN_ENDED,
            certified.ref.id.hex,
        )


@pytest.mark.parametrize("vandalism", ["UPDATE registry_event SET actor = 'eve'", "DELETE FROM registry_event"])
def test_events_are_append_only(certified, vandalism):
    with pytest.raises(ConflictError, match="append-only: events are never"):
        certified.sql(vandalism)


def test_an_event_must_follow_the_last(certified):
    insert = "INSERT INTO registry_event VALUES (?, 0, 'eve', 'test', '', '{}', ?, 'x')"
    for seq, prev_hash in ((2, "wrong"), (7, certified.sql("SELECT hash FROM registry_event")[0][0])):
        with pytest.raises(ConflictError, match="must follow the last one"):
            certified.sql(insert, seq, prev_hash)


def test_a_frozen_run_takes_no_more_datasets(world):
    world.calib("run/1", detector=0)
    with world.write() as connection:
        freeze(connection, "run/1", actor="ada", reason="cited")
    with pytest.raises(FrozenError, match="not frozen"):
        world.calib("run/1", detector=1)


def test_a_collection_keeps_its_name_and_kind_and_is_not_thawed(world):
    world.calib("one")
    world.sql("UPDATE collection SET frozen = 1, doc = 'as published'")
    for change in ("frozen = 0", "name = 'two'", "kind = 'TAGGED'"):
        with pytest.raises(FrozenError, match="keeps its name and kind, and is never thawed"):
            world.sql(f"UPDATE collection SET {change}")


def test_what_must_stay_is_neither_replaced_nor_emptied(certified):
    if certified.kind == "postgresql":
        for table in ("calib_validity", "registry_event", "dataset", "context", "dataset_mark"):
            with pytest.raises(ConflictError, match="is never emptied"):
                certified.sql(f"TRUNCATE {table} CASCADE")
    else:
        with pytest.raises(ConflictError, match=r"never deleted|must follow the last"):
            certified.sql("INSERT OR REPLACE INTO registry_event SELECT * FROM registry_event")
        with pytest.raises(ConflictError, match="never forgotten"):
            certified.sql("INSERT OR REPLACE INTO dataset SELECT * FROM dataset")


def test_what_a_dataset_is_never_changes(world):
    world.calib("run/1")
    with pytest.raises(ConflictError, match="what a dataset is never changes"):
        world.sql("UPDATE dataset SET detector_id = 2")
    world.sql("UPDATE dataset SET status = 'MISSING'")


def test_only_an_unpublished_dataset_may_be_forgotten(world):
    staged = world.dataset("run/1", "bias", DataId("lupine", None, 0), status="STAGED")
    world.calib("run/1", detector=1)
    world.sql("DELETE FROM dataset WHERE uuid = ?", staged.id.hex)
    with pytest.raises(ConflictError, match="never forgotten, only purged"):
        world.sql("DELETE FROM dataset")


def test_a_chain_never_contains_itself(world):
    with world.write() as connection:
        a, b, c = (register_collection(connection, name, "CHAINED") for name in "abc")
    world.sql("INSERT INTO collection_chain VALUES (?, 0, ?)", a, b)
    world.sql("INSERT INTO collection_chain VALUES (?, 0, ?)", b, c)
    for parent in (c, b):
        with pytest.raises(ConflictError, match="a chain cannot contain itself"):
            world.sql("INSERT INTO collection_chain VALUES (?, 5, ?)", parent, a)


def test_a_leased_quantum_has_a_worker_and_a_skipped_one_a_reason(world):
    for state in ("leased", "skipped"):
        with pytest.raises(ConflictError, match="CHECK constraint failed"):
            world.sql(
                "INSERT INTO quantum (uuid, run_id, task, instrument_id, exposure_id, detector_id, filter_id,"
                " config_id, software_id, calib_set_id, content_key, state)"
                " VALUES ('00000000000000000000000000000000', 1, 'isr', 1, 0, 0, 0,"
                " 1, 1, 1, '', ?)",
                state,
            )
