"""A registry that an older release made becomes one of this release, with all that was in it, or stays as it was."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from registry import migrate
from registry.butler import Butler
from registry.errors import VersionError
from registry.location import Location, write_location
from registry.migrate import database_revision, run_migrations, upgrade_database
from registry.refs import DataId
from registry.schema_check import check_schema, mend_schema
from registry.sql.catalog import describe
from registry.sql.database import HEAD, current_revision, make_engine, open_database, read, write
from registry.timespan import Timespan
from tests.postgres import server, template

RELEASED = Path(__file__).parent / "data" / "released_0001.sql"
"""Written by the release that had schema 0001: datasets, tags, a chain, certifications, work half done."""
EXPOSURE = 20260301005
NEW_TABLES = {"repository", "context", "calib_policy", "header_correction", "quality_flag", "quantum_note"}
NEW_TABLES |= {"dataset_mark", "replay"}


@pytest.fixture
def old(tmp_path, engine_kind):
    """The address of a registry of schema 0001."""
    if engine_kind == "sqlite":
        path = tmp_path / "repo" / "registry.sqlite3"
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(RELEASED.read_text())
        yield path
        return
    url = server().new_database(template("isrflow_0001", _fill_0001))
    yield url
    server().drop_database(url)


def _fill_0001(url: str) -> None:
    """Fill PostgreSQL with the same rows: its tables by the first revision, the rows as SQLite wrote them."""
    engine = make_engine(url)
    inserts = [line for line in statements() if line.startswith("INSERT") and "alembic_version" not in line]
    with write(engine) as connection:
        run_migrations(connection, "0001")
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for line in inserts:
            connection.exec_driver_sql(line.replace("%", "%%") + " ON CONFLICT DO NOTHING")  # the sentinels are there
        for table in sorted({line.split('"')[1] for line in inserts}):
            columns = connection.exec_driver_sql(f"SELECT * FROM {table} LIMIT 0").keys()
            if "id" in columns:
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                connection.exec_driver_sql(f"SELECT setval({sequence}, max(id) + 1, false) FROM {table}")
    engine.dispose()


def statements() -> list[str]:
    return [line.rstrip(";") for line in RELEASED.read_text().splitlines()]


def counts(where) -> dict[str, int]:
    engine = make_engine(where)
    try:
        with read(engine) as connection:
            tables = [item.name for item in describe(connection) if item.kind == "table" and "alembic" not in item.name]
            query = "SELECT count(*) FROM {}"
            return {name: connection.exec_driver_sql(query.format(name)).scalar() for name in tables}
    finally:
        engine.dispose()


def test_every_row_of_an_older_release_survives_and_is_understood(old, tmp_path, formatters):
    before = counts(old)
    rows = Counter(re.match(r'INSERT INTO "(\w+)"', line)[1] for line in statements() if line.startswith("INSERT"))
    assert before == {name: rows[name] for name in before}, "the fixture holds what the release wrote"
    assert upgrade_database(old) == ("0001", HEAD)
    after = counts(old)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == NEW_TABLES
    assert check_schema(old).differences == ()
    with opened(old, tmp_path, formatters) as butler:
        assert understood(butler)


def opened(where, tmp_path, formatters) -> Butler:
    root = tmp_path / "repo"
    root.mkdir(exist_ok=True)
    if not isinstance(where, Path):
        write_location(Location(root, where))
    (root / "datastore").mkdir(exist_ok=True)
    return Butler(root, formatters=formatters, actor="tester")


def understood(butler) -> bool:
    """All that was recorded can be asked, and the work that was left can be planned."""
    data_ids = [DataId("lupine", EXPOSURE, d) for d in range(2)]
    tagged = butler.datasets("type in ('bias', 'flat')", collections=["best"])
    assert {(ref.type, ref.data_id.detector) for ref in tagged} == {("bias", 0), ("flat", 1)}
    found = butler.resolve(data_ids, {"bias": True, "flat": True}, ["calibs"])
    assert not found.missing
    assert {role: match.ref.run for role, match in found.matches[data_ids[0]].items()} == dict.fromkeys(
        ("bias", "flat"), "calibs/1"
    )
    assert [row.state for row in butler.quanta("night/1")] == ["done", "planned"]
    made = next(ref for ref in butler.datasets("type = 'post_isr'"))
    assert {edge.role for edge in butler.lineage(made).edges} == {"raw", "bias", "flat"}
    assert [event.kind for event in butler.events()][::-1] == ["put", "put", "certify", "certify", "chain"]
    assert {finding.kind for finding in butler.verify().findings} == {"missing file"}, "no files are here"
    butler.register_collection("calibs/3", "RUN")
    ref = butler.put({"level": 1}, "bias", DataId("lupine", detector=1), "calibs/3")
    butler.certify("calibs", [ref], Timespan(0, 10), mode="replace")
    return True


def test_an_older_registry_is_refused_until_it_is_upgraded(old):
    with pytest.raises(VersionError, match=rf"has schema 0001, older than {HEAD}.*\n  fix: isrflow db upgrade"):
        open_database(old)
    report = check_schema(old)
    assert (report.revision, report.wanted, report.is_sound) == ("0001", HEAD, False)
    assert "fix: isrflow db upgrade" in report.render()
    upgrade_database(old)
    open_database(old).dispose()


def test_upgrading_twice_does_it_once(old):
    assert [upgrade_database(old) for _ in range(2)] == [("0001", HEAD), (HEAD, HEAD)]


def _upgrade(where, start, outcomes) -> None:
    start.wait()
    outcomes.put(upgrade_database(where))


def test_of_processes_that_upgrade_at_once_exactly_one_does_it(old):
    context = multiprocessing.get_context("spawn")
    start, outcomes = context.Event(), context.Queue()
    children = [context.Process(target=_upgrade, args=(old, start, outcomes)) for _ in range(3)]
    for child in children:
        child.start()
    start.set()
    told = sorted(outcomes.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    assert told == [("0001", HEAD), (HEAD, HEAD), (HEAD, HEAD)]
    assert check_schema(old).is_sound


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of any fork with threads
@pytest.mark.parametrize("at", ["before", "after"])
def test_an_upgrade_that_is_killed_leaves_the_old_schema(old, at):
    before = counts(old)
    child = os.fork()
    if child == 0:
        really = migrate.run_migrations

        def dies(connection) -> None:
            if at == "before":
                connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
            else:
                really(connection)  # all is done, nothing committed
            os.kill(os.getpid(), signal.SIGKILL)

        migrate.run_migrations = dies
        try:
            upgrade_database(old)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert database_revision(old) == "0001"
    assert counts(old) == before
    assert upgrade_database(old) == ("0001", HEAD)


def test_an_upgrade_that_is_cut_off_leaves_the_old_schema(tmp_path, monkeypatch, engine_kind, old):
    def fails(connection) -> None:
        run_migrations(connection)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate, "run_migrations", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        upgrade_database(old)
    assert database_revision(old) == "0001"


def change(world, *commands: str) -> None:
    with world.write() as connection:
        for command in commands:
            connection.exec_driver_sql(command)


def test_a_schema_that_is_as_it_should_be_is_said_to_be_so(world):
    report = check_schema(world.address)
    assert report.is_sound
    assert report.render().endswith("as the migrations make it")
    assert report.to_dict()["differences"] == []


def test_what_differs_is_named_and_what_can_be_mended_is(world):
    where = " ON registry_event" if world.kind == "postgresql" else ""
    change(
        world,
        "DROP INDEX ix_dataset_mark_dataset_id_removed_at",
        f"DROP TRIGGER registry_event_stays{where}",
        "DROP VIEW obscore",
        "CREATE INDEX mine ON dataset (status)",
        "ALTER TABLE dataset ADD COLUMN extra TEXT",
        "CREATE TABLE shopping (item TEXT)",
    )
    report = check_schema(world.address)
    assert {(one.kind, one.name, one.problem) for one in report.differences} == {
        ("index", "dataset_mark.ix_dataset_mark_dataset_id_removed_at", "is missing"),
        ("trigger", "registry_event.registry_event_stays", "is missing"),
        ("view", "obscore", "is missing"),
        ("index", "dataset.mine", "is unexpected"),
        ("column", "dataset.extra", "is unexpected"),
    }, "others' tables are none of our business"
    assert "fix: isrflow db check --mend" in report.render()
    assert "DROP INDEX mine (or keep it: it does no harm)" in report.render()
    mend_schema(world.address)
    assert {one.name for one in check_schema(world.address).differences} == {"dataset.mine", "dataset.extra"}
    world.sql("INSERT INTO config_blob (sha256, canonical) VALUES ('100%', '{}')")


def test_a_missing_constraint_and_a_disabled_guard_are_found_on_a_server(world):
    if world.kind == "sqlite":
        return
    change(
        world,
        "ALTER TABLE calib_validity DROP CONSTRAINT ex_calib_validity_overlap",
        "ALTER TABLE dataset_mark DISABLE TRIGGER dataset_mark_stays",
    )
    assert {one.name: one.problem for one in check_schema(world.address).differences} == {
        "calib_validity.ex_calib_validity_overlap": "is missing",
        "dataset_mark.dataset_mark_stays": "is not what it should be",
    }
    assert len(mend_schema(world.address)) == 2
    assert check_schema(world.address).is_sound


def test_checking_leaves_nothing_behind_on_the_server(world):
    if world.kind == "sqlite":
        return
    check_schema(world.address)
    assert world.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'isrflow%'") == []
    assert current_revision(world.engine) == HEAD
