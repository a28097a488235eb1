"""A whole night with its registry in PostgreSQL: several worker processes, the same products as with SQLite."""

from __future__ import annotations

import json

import pytest

from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import create_repo, find_repo, open_repo
from isrflow.errors import ConfigError
from registry.errors import UserError
from tests.flows.conftest import CALIBS, NIGHT, certify
from tests.postgres import server


@pytest.fixture
def database():
    url = server().new_database()
    yield url
    server().drop_database(url)


def contents(repo) -> dict[tuple, object]:
    """The pixels of every product, and all statistics."""
    refs = repo.butler.datasets("type in ('post_isr', 'isr_statistics')")
    return {(ref.type, ref.data_id): science(repo.butler.get(ref), ref.content_sha256) for ref in refs}


def science(value, content_sha256) -> object:
    planes = (getattr(value, name, None) for name in ("image", "mask", "variance"))
    return tuple(content_sha256 if plane is None else plane.tobytes() for plane in planes)


def test_a_night_of_several_workers_makes_what_it_makes_with_sqlite(
    tmp_path, database, night_files, night_dir, monkeypatch
):
    monkeypatch.setenv("ISRFLOW_EXECUTOR", "local")
    root = tmp_path / "repo"
    create_repo(root, "tiny", url=database).close()
    assert find_repo(root) == root
    with open_repo(root) as repo:
        ingest_paths(repo, night_files.raws)
        for kind in CALIBS:
            import_calib(repo, kind, (night_files.truths | night_files.tables)[kind])
        certify(repo, *CALIBS)
        report = run_night(repo, NIGHT, engine="direct", where="detector = 0", workers=2)
        assert (report.exit_code, report.n_failed) == (0, 0)
        made = contents(repo)
        assert repo.butler.verify(rehash=True).findings == ()
        assert {row.state for row in repo.butler.quanta()} == {"done"}
    with open_repo(night_dir) as other:
        expected = contents(other)
    assert made == expected
    again = run_again(root)
    assert (again.n_already_done, again.n_done) == (len(made) // 2, len(made) // 2)


def run_again(root):
    with open_repo(root) as repo:
        return run_night(repo, NIGHT, engine="direct", where="detector = 0")


def test_what_cannot_be_furnished_leaves_neither_directory_nor_tables(tmp_path, database, monkeypatch):
    def fails(*_args) -> None:
        raise UserError("no camera today")

    monkeypatch.setattr("flows.repo._furnish", fails)
    with pytest.raises(UserError, match="no camera today"):
        create_repo(tmp_path / "repo", "tiny", url=database)
    assert not (tmp_path / "repo").exists()
    monkeypatch.undo()
    create_repo(tmp_path / "repo", "tiny", url=database).close()
    facts = json.loads((tmp_path / "repo/repository.json").read_text())
    assert set(facts) == {"uuid", "database", "datastore"}


def test_an_instrument_that_is_not_known_is_noticed_before_the_database_is_touched(tmp_path):
    with pytest.raises(ConfigError, match="no instrument named 'tinny'"):
        create_repo(tmp_path / "repo", "tinny", url="postgresql://ada@localhost:1/db")
