"""Where the parts of a repository are, and that they belong together."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from registry.butler import Butler
from registry.errors import UnavailableError, UserError
from registry.location import LOCATION_FILE, Location, is_repository, location_for, read_location, write_location
from registry.refs import DataId
from registry.sql.database import read
from tests.postgres import server
from tests.registry.conftest import furnish

BIAS = DataId("lupine", detector=0)


@pytest.fixture
def database():
    url = server().new_database()
    yield url
    server().drop_database(url)


def test_a_repository_in_postgresql_is_made_found_and_used(tmp_path, formatters, database):
    with Butler.create(tmp_path / "repo", url=database, formatters=formatters) as made:
        furnish(made)
        ref = made.put([1], "bias", BIAS, "calibs/1")
        uuid = made._repository.uuid
    assert sorted(path.name for path in (tmp_path / "repo").iterdir()) == ["datastore", LOCATION_FILE]
    assert read_location(tmp_path / "repo") == Location(tmp_path / "repo", written(tmp_path)["database"], None, uuid)
    with Butler(tmp_path / "repo", formatters=formatters) as opened:
        assert opened.get(ref.id) == [1]
        assert opened._repository.engine.dialect.name == "postgresql"


def written(tmp_path) -> dict:
    return json.loads((tmp_path / "repo" / LOCATION_FILE).read_text())


@pytest.mark.parametrize(
    "typed", ["postgresql://ada:geheim@{}", "postgresql+psycopg://ada:geheim@{}", "postgres://ada:geheim@{}"]
)
def test_a_password_is_used_and_neither_kept_nor_shown(tmp_path, typed):
    location = location_for(tmp_path / "repo", typed.format("host:5432/db"), None)
    (tmp_path / "repo").mkdir()
    write_location(location)
    assert location.address.password == "geheim"
    assert "geheim" not in repr(location) + location.database_place + (tmp_path / "repo" / LOCATION_FILE).read_text()
    assert written(tmp_path)["database"] == "postgresql://ada@host:5432/db"


def test_a_password_in_the_query_is_not_kept_either(tmp_path):
    location = location_for(tmp_path, "postgresql://ada@host/db?password=geheim&sslmode=require", None)
    assert location.database == "postgresql://ada@host/db?sslmode=require"
    assert location.address.password == "geheim"


def test_the_password_of_the_environment_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("ISRFLOW_DATABASE_PASSWORD", "geheim")
    assert Location(tmp_path, "postgresql://ada@host/db").address.password == "geheim"
    assert "geheim" not in Location(tmp_path, "postgresql://ada@host/db").database_place


def test_errors_do_not_show_passwords(tmp_path, formatters):
    with pytest.raises(UnavailableError, match="no server listens there") as caught:
        Butler.create(tmp_path / "repo", url="postgresql://ada:geheim@localhost:1/db", formatters=formatters)
    assert "geheim" not in str(caught.value)
    assert not (tmp_path / "repo").exists()


def test_a_repository_whose_files_are_elsewhere(tmp_path, formatters):
    with Butler.create(tmp_path / "repo", datastore=str(tmp_path / "files"), formatters=formatters) as made:
        furnish(made)
        made.put([1], "bias", BIAS, "calibs/1")
    assert list((tmp_path / "files").rglob("*.json"))
    assert not list((tmp_path / "repo").rglob("bias*.json"))
    with Butler(tmp_path / "repo", formatters=formatters) as opened:
        assert opened.verify().findings == ()


def test_two_repositories_do_not_share_a_database(tmp_path, formatters, database):
    Butler.create(tmp_path / "repo", url=database, formatters=formatters).close()
    with pytest.raises(UserError, match=r"already a registry database postgresql://[\s\S]*createdb"):
        Butler.create(tmp_path / "other", url=database, formatters=formatters)
    assert not is_repository(tmp_path / "other")
    with Butler(tmp_path / "repo", formatters=formatters) as first:
        assert first.collections() == []


def test_two_repositories_do_not_share_a_root(tmp_path, formatters, database):
    Butler.create(tmp_path / "repo", formatters=formatters).close()
    with pytest.raises(UserError, match="already a registry database"):
        Butler.create(tmp_path / "repo", url=database, formatters=formatters)
    assert server_tables(database) == 0


def test_a_repository_of_postgresql_is_not_made_twice(tmp_path, formatters, database):
    Butler.create(tmp_path / "repo", url=database, formatters=formatters).close()
    for url in (None, database):
        with pytest.raises(UserError, match="already a registry database"):
            Butler.create(tmp_path / "repo", url=url, formatters=formatters)
    assert not (tmp_path / "repo/registry.sqlite3").exists()


def test_a_repository_that_could_not_be_completed_leaves_the_database_as_it_was(tmp_path, formatters, database):
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="is not empty"):
        Butler.create(tmp_path / "repo", url=database, datastore=str(full), formatters=formatters)
    assert server_tables(database) == 0
    Butler.create(tmp_path / "repo", url=database, formatters=formatters).close()


def server_tables(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return connection.execute(query).fetchone()[0]


def test_a_directory_that_points_to_another_repositorys_database_is_refused(tmp_path, formatters, database):
    Butler.create(tmp_path / "repo", url=database, formatters=formatters).close()
    facts = written(tmp_path) | {"uuid": str(uuid4())}
    (tmp_path / "repo" / LOCATION_FILE).write_text(json.dumps(facts))
    with pytest.raises(UnavailableError, match=rf"is of the repository {facts['uuid']}, but the database post"):
        Butler(tmp_path / "repo", formatters=formatters)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ('{"databse": 1}', "unknown keys: databse"),
        ('{"uuid": "x"}', "hexadecimal"),
        ("[]", ""),
    ],
)
def test_a_location_that_cannot_be_understood_is_refused(tmp_path, text, why):
    (tmp_path / LOCATION_FILE).write_text(text)
    with pytest.raises(UnavailableError, match=rf"{LOCATION_FILE} cannot be read: .*{why}[\s\S]*fix: restore it"):
        read_location(tmp_path)


def test_a_schema_of_ones_own_is_enough(tmp_path, formatters, database):
    """Two registries share a database if each has its own search path."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one")
        connection.execute("CREATE SCHEMA two")
    uuids = set()
    for name in ("one", "two"):
        url = f"{database}&options=-csearch_path%3D{name}"
        with Butler.create(tmp_path / name, url=url, formatters=formatters) as butler:
            furnish(butler)
        with Butler(tmp_path / name, formatters=formatters) as butler, read(butler._repository.engine) as connection:
            assert connection.exec_driver_sql("SELECT current_schema()").scalar() == name
            uuids.add(butler._repository.uuid)
    assert len(uuids) == 2
