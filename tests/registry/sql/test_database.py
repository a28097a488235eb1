"""Opening, transactions, and the refusals of places where a database cannot live."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert

from registry.errors import ConflictError, RegistryError, UnavailableError, UserError
from registry.sql import tables as t
from registry.sql.address import database_address
from registry.sql.database import make_engine, open_database, read, write
from registry.sql.file_system import refuse_network_file_system


def count(world) -> int:
    with world.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM config_blob").scalar()


def add(connection, *texts: str) -> None:
    for text in texts:
        connection.execute(insert(t.config_blob).values(sha256=text, canonical=text))


def test_a_write_is_committed_at_the_end_and_rolled_back_on_any_exception(world):
    with world.write() as connection:
        add(connection, "kept")
    with pytest.raises(ConflictError, match="UNIQUE constraint failed"), world.write() as connection:
        add(connection, "lost", "kept")
    assert count(world) == 1


def test_a_reader_sees_one_moment_however_much_is_written_meanwhile(world):
    with world.read() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM config_blob").scalar() == 0
        with world.write() as writer:
            add(writer, "new")
        assert reader.exec_driver_sql("SELECT count(*) FROM config_blob").scalar() == 0
    assert count(world) == 1


def test_a_locked_database_names_the_file(sqlite_world):
    impatient = make_engine(sqlite_world.path, busy_timeout_s=0.05)
    with (
        sqlite_world.write(),
        pytest.raises(UnavailableError, match=rf"{sqlite_world.path} is locked.*\n  fix: ") as caught,
        write(impatient),
    ):
        pass
    assert caught.value.exit_code == 4
    impatient.dispose()


def test_a_writer_waits_for_another(world):
    began, done = threading.Event(), []

    def other() -> None:
        began.wait()
        with write(world.engine) as connection:
            add(connection, "second")
            done.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    with world.write() as connection:
        add(connection, "first")
        began.set()
        thread.join(0.2)
        assert not done
    thread.join()
    assert done
    assert count(world) == 2


def test_a_durable_write_syncs_fully_and_only_that_one(sqlite_world):
    def level(connection) -> int:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    with write(sqlite_world.engine, durable=True) as connection:
        assert level(connection) == 2
        add(connection, "published")
    with sqlite_world.write() as connection:
        assert level(connection) == 1
    assert count(sqlite_world) == 1


def test_foreign_keys_and_the_write_ahead_log_are_on(sqlite_world):
    with sqlite_world.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    with pytest.raises(ConflictError, match="FOREIGN KEY constraint failed"):
        sqlite_world.sql("INSERT INTO run (collection_id, host, flow_run, started_ns) VALUES (99, '', '', 0)")


def test_a_strict_table_refuses_a_value_of_the_wrong_type(sqlite_world):
    with pytest.raises(RegistryError, match="cannot store TEXT value in INTEGER column"):
        sqlite_world.sql("UPDATE exposure SET seq_num = 'first'")


def test_reading_only_means_it(world):
    engine = open_database(world.address, read_only=True)
    with pytest.raises(UserError, match="opened for reading only"), write(engine) as connection:
        add(connection, "no")
    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM detector").scalar() == 4
    engine.dispose()


def test_what_is_not_there_or_not_a_database_is_refused(tmp_path):
    with pytest.raises(UnavailableError, match=r"there is no registry database.*\n  fix: isrflow init"):
        open_database(tmp_path / "registry.sqlite3")
    (tmp_path / "text.sqlite3").write_text("not a database, but long enough to look like a header " * 20)
    with pytest.raises(
        UnavailableError, match=r"is damaged at its very beginning, or no SQLite database[\s\S]*fix: restore"
    ):
        open_database(tmp_path / "text.sqlite3")


@pytest.mark.parametrize(
    ("url", "why"), [("mysql://host/db", "not supported"), ("sqlite://", "not supported"), ("://", "not a")]
)
def test_other_urls_are_refused(url, why):
    with pytest.raises(UserError, match=why):
        database_address(url)


def test_a_path_and_its_url_are_the_same_place(tmp_path):
    assert database_address(tmp_path / "r.sqlite3") == database_address(f"sqlite:///{tmp_path}/r.sqlite3")


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused_unless_one_insists(tmp_path, monkeypatch, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home /home\\040all {kind} rw 0 0\n")
    refuse_network_file_system(Path("/elsewhere/registry.sqlite3"), mounts)
    with pytest.raises(UnavailableError, match=rf"network file system \({kind}\)"):
        refuse_network_file_system(Path("/home all/me/registry.sqlite3"), mounts)
    monkeypatch.setenv("ISRFLOW_ALLOW_NETWORK_FS", "1")
    refuse_network_file_system(Path("/home all/me/registry.sqlite3"), mounts)


def test_where_the_system_does_not_tell_its_mounts_nothing_is_refused(tmp_path):
    refuse_network_file_system(tmp_path / "r.sqlite3", tmp_path / "no-such-file")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of any fork with threads
def test_a_forked_child_opens_connections_of_its_own(world):
    assert count(world) == 0
    child = os.fork()
    if child == 0:
        try:
            with world.write() as connection:
                add(connection, "child")
            os._exit(0)
        except BaseException:  # the child must not go on as a second test runner
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert count(world) == 1


def test_a_sqlite_that_is_too_old_is_named(sqlite_world, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 31, 1))
    with pytest.raises(UnavailableError, match=r"is too old for the registry, which needs 3\.37"):
        make_engine(sqlite_world.path)


def test_where_nothing_can_be_written_a_registry_can_be_read(sqlite_world, monkeypatch):
    sqlite_world.expose(1, 10, 20)
    with pytest.raises(UnavailableError, match=r"its last changes are still in registry\.sqlite3-wal"):
        read_sealed(sqlite_world.path, monkeypatch)
    sqlite_world.engine.dispose()
    assert read_sealed(sqlite_world.path, monkeypatch) == 1


def read_sealed(path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("os.access", lambda *_: False)
        engine = make_engine(path, read_only=True)
    try:
        with read(engine) as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM exposure WHERE id <> 0").scalar()
    finally:
        engine.dispose()


def test_a_writer_waits_for_another_one_no_longer_than_told(world):
    impatient = make_engine(world.address, busy_timeout_s=0.05)
    too_long = pytest.raises(UnavailableError, match="another process has been writing for too long")
    with world.write(), too_long, write(impatient):
        pass
    with write(impatient) as connection:
        connection.exec_driver_sql("SELECT 1")
    impatient.dispose()
