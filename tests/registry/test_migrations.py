"""The migrations make exactly the schema of tables.py, in one transaction, and know their own versions."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import create_engine

from registry import migrate
from registry.errors import UnavailableError, UserError, VersionError
from registry.migrate import alembic_config, create_database, database_revision, upgrade_database
from registry.sql.catalog import describe
from registry.sql.database import HEAD, REVISIONS, make_engine, open_database, read, scratch_schema, write
from registry.sql.tables import metadata
from tests.postgres import server


def ddl(connection) -> dict[str, list[str]]:
    """Every table and index as its sorted lines: the order of constraints does not matter."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index')"
    rows = connection.exec_driver_sql(query).all()
    return {name: sorted(line.strip().rstrip(",") for line in sql.splitlines()) for name, sql in rows}


def set_revision(path, revision: str) -> None:
    engine = make_engine(path)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    engine.dispose()


@pytest.fixture
def path(tmp_path):
    return create_database(tmp_path / "registry.sqlite3")


def test_the_migrations_and_the_tables_agree_to_the_letter(path):
    migrated, described = make_engine(path), create_engine("sqlite://")
    metadata.create_all(described)
    with migrated.connect() as one, described.connect() as other:
        made = ddl(one)
        assert made.pop("alembic_version")
        assert made == ddl(other)
    migrated.dispose()
    described.dispose()


def test_the_migrations_and_the_tables_agree_on_a_server():
    """But for what tables cannot say: guards, views, and the constraint against overlaps."""
    url = server().new_database()
    create_database(url)
    engine = make_engine(url)
    with read(engine) as connection:
        made = describe(connection)
    with scratch_schema(engine) as connection:
        metadata.create_all(connection)
        described = describe(connection)
    engine.dispose()
    server().drop_database(url)
    more = {item: text for item, text in made.items() if described.get(item) != text}
    assert described.items() <= made.items()
    assert {item.kind for item in more} == {"table", "column", "constraint", "trigger", "function", "view"}
    assert {item.name for item in more if item.kind in {"table", "column", "constraint"}} == {
        "alembic_version",
        "alembic_version.version_num",
        "alembic_version.alembic_version_pkc",
        "calib_validity.ex_calib_validity_overlap",
    }


def test_both_engines_have_the_same_tables_columns_constraints_and_indexes(path):
    """Names only: types and spellings are each engine's own."""
    url = server().new_database()
    create_database(url)
    names = []
    for where in (path, url):
        engine = make_engine(where)
        with read(engine) as connection:
            items = describe(connection)
        engine.dispose()
        kinds = {"table", "column", "index", "view"}
        names.append({(item.kind, item.name) for item in items if item.kind in kinds})
        names[-1] |= {("constraint", i.name) for i in items if i.kind == "constraint" and ".ex_" not in i.name}
    server().drop_database(url)
    assert names[0] == names[1]


def test_alembic_finds_nothing_left_to_do(path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = make_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_revisions_that_the_program_knows_are_those_of_the_tree():
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(alembic_config())
    assert tuple(reversed([one.revision for one in script.walk_revisions()])) == REVISIONS
    assert script.get_heads() == [HEAD]


def test_every_table_is_strict(path):
    engine = make_engine(path)
    with engine.connect() as connection:
        loose = connection.exec_driver_sql(
            "SELECT name FROM pragma_table_list WHERE strict = 0 AND type = 'table'"
        ).scalars()
        assert {name for name in loose if not name.startswith("sqlite_")} == {"alembic_version"}
    engine.dispose()


def test_a_new_database_is_at_the_newest_revision(path):
    assert database_revision(path) == HEAD
    assert upgrade_database(path) == (HEAD, HEAD)


def test_a_database_is_not_made_twice(path):
    with pytest.raises(UserError, match="already a registry database"):
        create_database(path)


def test_a_newer_database_asks_for_a_newer_program(path):
    set_revision(path, "9999")
    with pytest.raises(
        VersionError, match=r"schema 9999, which this program.*newer\n  fix: pip install --upgrade isrflow"
    ):
        open_database(path)
    with pytest.raises(VersionError, match="it is newer") as caught:
        upgrade_database(path)
    assert (caught.value.found, caught.value.expected, caught.value.exit_code) == ("9999", HEAD, 4)


def test_an_older_database_asks_for_an_upgrade(path, monkeypatch):
    monkeypatch.setattr("registry.sql.database.REVISIONS", (*REVISIONS, "0003"))
    monkeypatch.setattr("registry.sql.database.HEAD", "0003")
    with pytest.raises(VersionError, match=r"older than 0003.*\n  fix: isrflow db upgrade"):
        open_database(path)


def test_a_migration_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def half(connection):
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrate, "run_migrations", half)
    with pytest.raises(RuntimeError, match="power cut"):
        create_database(tmp_path / "registry.sqlite3")
    engine = make_engine(tmp_path / "registry.sqlite3")
    with engine.connect() as connection:
        assert ddl(connection) == {}
    engine.dispose()


def test_upgrading_what_is_not_a_registry_is_refused(tmp_path):
    with pytest.raises(UnavailableError, match="there is no registry database"):
        upgrade_database(tmp_path / "nothing.sqlite3")
    engine = make_engine(tmp_path / "other.sqlite3")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE shopping (item TEXT)")
    engine.dispose()
    with pytest.raises(UnavailableError, match="is not an isrflow registry"):
        upgrade_database(tmp_path / "other.sqlite3")


def test_opening_a_registry_imports_neither_alembic_nor_astropy(path):
    code = (
        "import sys; from registry.sql.database import open_database; "
        f"open_database({str(path)!r}).dispose(); "
        "print([name for name in ('alembic', 'astropy', 'numpy', 'lark', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
