"""What is PostgreSQL's own: snapshots, refusals by the server, connections that are cut, streams of rows."""

from __future__ import annotations

import os
import re
import threading

import pytest
from sqlalchemy import insert, select

from registry.errors import ConflictError, RegistryError, UnavailableError, UserError
from registry.migrate import create_database
from registry.sql import tables as t
from registry.sql.address import database_address, without_password
from registry.sql.bulk import COPY_FROM, insert_new, insert_rows
from registry.sql.database import make_engine, open_database, read, write
from registry.sql.failures import translate
from registry.sql.postgres import OLDEST_POSTGRESQL, _refuse_old_server
from tests.postgres import server
from tests.registry.world import World


@pytest.fixture
def pg(tmp_path):
    with World(tmp_path, "postgresql") as one:
        yield one


def blobs(*names: str) -> list[dict[str, str]]:
    return [{"sha256": name, "canonical": "{}"} for name in names]


def count(world) -> int:
    return world.sql("SELECT count(*) FROM config_blob")[0][0]


def test_readers_see_a_snapshot_and_may_not_write(pg):
    with pg.read() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        with pytest.raises(Exception, match="read-only transaction"):
            connection.execute(insert(t.config_blob).values(blobs("x")))
    with pg.write() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"


def test_the_server_itself_refuses_writes_where_only_reading_was_asked_for(pg):
    engine = open_database(pg.address, read_only=True)
    with pytest.raises(UserError, match="opened for reading only"), write(engine):
        pass
    with pytest.raises(UnavailableError, match=r"cannot be written: .*read-only"), read(engine) as connection:
        connection.execute(insert(t.config_blob).values(blobs("x")))
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("/ours?", "/nowhere?"), r"has no such database[\s\S]*fix: createdb"),
        (("postgres@", "eve@"), r"does not know the user[\s\S]*fix: createuser"),
        (("postgres@", "needs_password@"), r"wants a password[\s\S]*fix: put it into ~/\.pgpass"),
        (("postgres@", "needs_password:wrong@"), r"does not accept the user name or the password[\s\S]*pgpass"),
        (("host=", "host=/nowhere"), r"does not answer: no server listens there[\s\S]*fix: start it"),
    ],
)
def test_whoever_cannot_connect_is_told_why_and_what_to_do(pg, change, why):
    one = server()
    if not one.execute("SELECT 1 FROM pg_roles WHERE rolname = 'needs_password'"):
        one.execute("CREATE ROLE needs_password LOGIN PASSWORD 'right'")
    url = str(pg.address).replace(pg.address.partition("?")[0].rpartition("/")[2] + "?", "ours?").replace(*change)
    with pytest.raises(UnavailableError, match=why) as caught:
        open_database(url)
    assert caught.value.exit_code == 4
    assert "wrong" not in str(caught.value)


def test_a_port_where_nobody_listens_is_said_to_be_one():
    with pytest.raises(UnavailableError, match=r"postgresql://ada@localhost:1/db does not answer[\s\S]*host and port"):
        open_database("postgresql://ada:geheim@localhost:1/db")


def test_missing_rights_are_told_with_where_the_commands_are(pg):
    one = server()
    one.execute("DROP ROLE IF EXISTS guest")
    one.execute("CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(UnavailableError, match=r"does not let us do that.*\n  fix: .*howto/postgresql"):
            open_database(str(pg.address).replace("postgres@", "guest@"))
        empty = one.new_database()
        with pytest.raises(UnavailableError, match=r"does not let us do that \(permission denied for schema public"):
            create_database(empty.replace("postgres@", "guest@"))
        one.drop_database(empty)
    finally:
        one.execute("DROP ROLE guest")


def test_an_old_server_is_refused():
    with pytest.raises(UnavailableError, match=rf"PostgreSQL 12 is too old .* needs {OLDEST_POSTGRESQL} or newer"):
        _refuse_old_server(120022)


def test_another_programs_database_is_not_taken_for_a_newer_registry(pg):
    pg.sql("UPDATE alembic_version SET version_num = 'a1b2c3d4e5f6'")
    with pytest.raises(UnavailableError, match="its schema, a1b2c3d4e5f6, is another program's"):
        open_database(pg.address)


def cut(pid: int) -> None:
    server().execute("SELECT pg_terminate_backend(%s)", pid)


def cut_under(connection) -> None:
    cut(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())


def test_a_connection_cut_in_the_middle_leaves_nothing_and_the_next_call_works(pg):
    def half_a_change() -> None:
        with pg.write() as connection:
            insert_rows(connection, t.config_blob, blobs("half"))
            cut_under(connection)
            insert_rows(connection, t.config_blob, blobs("other half"))

    with pytest.raises(UnavailableError, match=r"cut the connection[\s\S]*fix: run the same"):
        half_a_change()
    assert count(pg) == 0


def test_a_stream_of_rows_that_is_cut_leaves_nothing(pg):
    rows = blobs(*map(str, range(1000)))

    def half_a_change() -> None:
        with pg.write() as connection:
            insert_rows(connection, t.config_blob, rows)
            cut_under(connection)
            insert_rows(connection, t.software_env, rows)

    with pytest.raises(UnavailableError, match="cut the connection"):
        half_a_change()
    assert count(pg) == 0
    with pg.write() as connection:
        insert_rows(connection, t.config_blob, rows)
    assert count(pg) == 1000


def test_a_server_that_was_restarted_meanwhile_is_met_by_the_next_call(pg, monkeypatch):
    monkeypatch.setattr("registry.sql.postgres._ASK_AFTER_S", -1.0)
    with pg.read() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    cut(pid)
    while server().execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid):
        pass
    assert count(pg) == 0


def test_a_writer_waits_for_another_one_no_longer_than_told(pg):
    impatient = make_engine(pg.address, busy_timeout_s=0.05)
    too_long = pytest.raises(UnavailableError, match=r"is locked: another process .*writing for too long[\s\S]*pg_stat")
    with pg.write(), too_long, write(impatient):
        pass
    with write(impatient) as connection:
        connection.exec_driver_sql("SELECT 1")
    impatient.dispose()


def test_who_changes_only_what_is_his_own_does_not_wait_for_a_long_change(pg):
    impatient = make_engine(pg.address, busy_timeout_s=0.05)
    with pg.write(), write(impatient, beside=True) as connection:
        connection.execute(insert(t.config_blob), blobs("sign of life"))
    impatient.dispose()
    assert count(pg) == 1


def test_writers_who_share_do_not_wait_for_each_other(pg):
    impatient = make_engine(pg.address, busy_timeout_s=0.05)
    with write(pg.engine, shared=True) as first, write(impatient, shared=True) as second:
        first.execute(insert(t.config_blob), blobs("one"))
        second.execute(insert(t.config_blob), blobs("other"))
    impatient.dispose()
    assert count(pg) == 2


@pytest.mark.parametrize("shared", [True, False])
def test_who_must_be_alone_waits_for_those_who_share_and_they_for_him(pg, shared):
    impatient = make_engine(pg.address, busy_timeout_s=0.05)
    too_long = pytest.raises(UnavailableError, match="is locked")
    with write(pg.engine, shared=shared), too_long, write(impatient, shared=not shared):
        pass
    impatient.dispose()


def test_readers_do_not_wait_for_writers(pg):
    with pg.write() as writer:
        writer.execute(insert(t.config_blob), blobs("new"))
        with pg.read() as reader:
            assert reader.execute(select(t.config_blob.c.id)).all() == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of any fork with threads
def test_a_forked_child_opens_connections_of_its_own_and_leaves_the_parents_alone(pg):
    with pg.read() as connection:
        before = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    child = os.fork()
    if child == 0:
        try:
            with pg.write() as connection:
                other = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                connection.execute(insert(t.config_blob), blobs("child"))
            os._exit(0 if other != before else 1)
        except BaseException:  # the child must not go on as a second test runner
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pg.read() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() == before
    assert count(pg) == 1


@pytest.mark.parametrize("number", [1, COPY_FROM - 1, COPY_FROM, 3 * COPY_FROM])
def test_rows_arrive_the_same_as_a_stream_or_one_by_one(pg, number):
    odd = ["tab\t", "new\nline", "back\\slash", "\\N", "", "ü", "quote'\"", "100%"]
    rows = [{"sha256": f"{n}{odd[n % len(odd)]}", "canonical": odd[n % len(odd)]} for n in range(number)]
    with pg.write() as connection:
        insert_rows(connection, t.config_blob, rows)
    with pg.read() as connection:
        found = connection.execute(
            select(t.config_blob.c.sha256, t.config_blob.c.canonical).order_by(t.config_blob.c.id)
        )
        assert [dict(row) for row in found.mappings()] == rows


def test_a_stream_that_breaks_a_rule_is_refused_in_the_same_words(pg):
    with pytest.raises(ConflictError, match=r"UNIQUE constraint failed: .*uq_config_blob_sha256"), pg.write() as one:
        insert_rows(one, t.config_blob, blobs(*["same"] * COPY_FROM))
    assert count(pg) == 0


def test_only_new_rows_are_inserted_and_counted(world):
    with world.write() as connection:
        assert insert_new(connection, t.config_blob, blobs("a", "b"), ["sha256"]) == 2
        assert insert_new(connection, t.config_blob, blobs("b", "c", "d"), ["sha256"]) == 2
        assert insert_new(connection, t.config_blob, blobs("a"), ["sha256"]) == 0
        assert insert_new(connection, t.config_blob, [], ["sha256"]) == 0
    assert count(world) == 4


def test_a_text_sorts_by_its_bytes_whatever_the_language_of_the_server(world):
    with world.write() as connection:
        insert_rows(connection, t.config_blob, blobs("b", "B", "a", "ä", "_", "A"))
    assert [row[0] for row in world.sql("SELECT sha256 FROM config_blob ORDER BY sha256")] == list("AB_abä")


def test_two_writers_who_find_a_name_free_do_not_both_take_it(pg):
    """Each looks first and inserts then; only because a writer is alone neither fails."""
    outcomes = []

    def work() -> None:
        engine = make_engine(pg.address)
        for _ in range(10):
            with write(engine) as connection:
                found = connection.execute(select(t.config_blob.c.id)).all()
                if len(found) < 10:
                    connection.execute(insert(t.config_blob), blobs(f"number {len(found)}"))
                    outcomes.append(len(found))
        engine.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == list(range(10))


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (
            "53100",
            UnavailableError,
            r"the server's disk is full[\s\S]*free some space there",
        ),
        ("40001", UnavailableError, r"let another writer go first[\s\S]*run the same command again"),
        ("40P01", UnavailableError, "both waited for each other"),
        ("57014", UnavailableError, "took longer than the server allows"),
        ("53300", UnavailableError, r"no connection left[\s\S]*--workers"),
        ("57P03", UnavailableError, "starting or stopping"),
        ("08006", UnavailableError, "cut the connection"),
        ("54000", UserError, r"too long for the database[\s\S]*ask for ranges"),
        ("XX000", RegistryError, r"reported: .*XX000"),
    ],
)
def test_codes_of_the_server_become_words(code, kind, says):
    from psycopg import errors

    error = errors.lookup(code)("as the server says it") if code != "XX000" else errors.InternalError_("inside")
    told = translate(error, "postgresql://host/db")
    assert type(told) is kind
    assert re.search(says, str(told)), str(told)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://host", "does not name a database"),
        ("mysql://ada:geheim@host/db", "the registry cannot be kept at mysql://ada@host/db: not supported"),
        ("post gres://ada:geheim@host/db", "is not a URL"),
    ],
)
def test_other_urls_are_refused_without_their_passwords(url, says):
    with pytest.raises(UserError, match=says) as caught:
        database_address(url)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in str(without_password(database_address("postgres://ada:geheim@host/db")))


GRANTS = """
GRANT CONNECT ON DATABASE {0} TO guest;
GRANT USAGE ON SCHEMA public TO guest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO guest
"""


def test_the_rights_that_the_documentation_grants_are_enough_and_no_licence_to_rewrite_history(pg):
    server().execute("CREATE ROLE guest LOGIN")
    ref = pg.calib("run/1")
    with pg.write() as connection:
        for grant in GRANTS.format(pg.engine.url.database).split(";"):
            connection.exec_driver_sql(grant)
    mine, pg.engine = pg.engine, make_engine(str(pg.address).replace("postgres@", "guest@"))
    try:
        with pg.write() as connection:
            insert_rows(connection, t.config_blob, blobs(*map(str, range(COPY_FROM))))
        pg.certify(ref, 0, 10)
        with pytest.raises(ConflictError, match="validity rows are never deleted"):
            pg.sql("DELETE FROM calib_validity")
        with pytest.raises(RegistryError, match="must be owner"):
            pg.sql("DROP TRIGGER calib_validity_stays ON calib_validity")
        with pytest.raises(UnavailableError, match="does not let us do that"):
            pg.sql("TRUNCATE calib_set_member")
    finally:
        pg.engine.dispose()
        pg.engine = mine
        pg.sql("DROP OWNED BY guest")
        server().execute("DROP ROLE guest")
