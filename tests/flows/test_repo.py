from __future__ import annotations

import subprocess
import sys

import pytest

from flows.repo import create_repo, find_repo, open_repo
from flows.reprocess import plan_reprocess, run_reprocess
from flows.settings import RepoSettings, read_settings, worker_count, write_settings
from isrflow.errors import ConfigError
from isrflow.frame.camera import load_camera
from registry.errors import UnavailableError, UserError


def test_a_new_repository_holds_its_camera_as_a_certified_dataset(empty_repo):
    assert empty_repo.camera == load_camera("tiny")
    (row,) = empty_repo.butler.validity("calibs", "camera")
    assert empty_repo.butler.find("camera", row.data_id, ["camera/tiny"]) is not None
    assert {"raw/tiny", "camera/tiny", "calibs"} <= {item.name for item in empty_repo.butler.collections()}
    types = empty_repo.butler.dataset_types()
    assert {"raw", "camera", "bias", "dark", "flat", "defects", "ptc", "linearizer", "crosstalk"} <= set(types)
    assert set(types["flat"].dimensions) == {"instrument", "detector", "physical_filter"}


def test_a_repository_is_not_made_twice(empty_dir):
    with pytest.raises(UserError, match="already"):
        create_repo(empty_dir, "tiny")
    open_repo(empty_dir).close()


def test_an_instrument_that_does_not_exist_leaves_nothing_behind(tmp_path):
    with pytest.raises(ConfigError, match="no instrument named 'tinny'"):
        create_repo(tmp_path / "new", "tinny")
    assert not (tmp_path / "new").exists()


def test_a_database_that_is_not_supported_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match="mysql://host/db: not supported"):
        create_repo(tmp_path / "new", "tiny", url="mysql://host/db")
    assert not (tmp_path / "new").exists()


def test_a_repository_is_found_by_option_then_variable_then_from_the_current_directory_upwards(
    empty_dir, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert find_repo(empty_dir) == empty_dir.resolve()
    monkeypatch.setenv("ISRFLOW_REPO", str(empty_dir))
    assert find_repo() == empty_dir.resolve()
    monkeypatch.delenv("ISRFLOW_REPO")
    monkeypatch.chdir(empty_dir / "datastore")
    assert find_repo() == empty_dir.resolve()


def test_where_there_is_no_repository_the_error_names_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnavailableError, match="isrflow init"):
        find_repo()
    with pytest.raises(UnavailableError, match="--repo"):
        find_repo(tmp_path)


def test_variables_are_laid_over_the_settings_file(tmp_path):
    write_settings(tmp_path, RepoSettings(instrument="tiny", workers=3, recipe={"dark.enabled": False}))
    assert read_settings(tmp_path, {}).workers == 3
    found = read_settings(tmp_path, {"ISRFLOW_WORKERS": "5", "ISRFLOW_ENGINE": "direct"})
    assert (found.workers, found.engine, found.recipe) == (5, "direct", {"dark.enabled": False})


def test_all_wrong_settings_are_reported_at_once(tmp_path):
    (tmp_path / "isrflow.yaml").write_text("instrument: tiny\nworkerz: 3\nengine: dask\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"(?s)engine.*workerz|workerz.*engine"):
        read_settings(tmp_path, {})


def test_the_number_of_workers_is_as_asked_as_set_or_as_the_machine_allows():
    assert worker_count(RepoSettings(instrument="tiny", workers=3), 7) == 7
    assert worker_count(RepoSettings(instrument="tiny", workers=3)) == 3
    assert worker_count(RepoSettings(instrument="tiny")) >= 1
    assert worker_count(RepoSettings(instrument="tiny", memory_per_worker_gb=1e6)) == 1


def test_opening_and_listing_a_repository_imports_nothing_heavy(empty_dir):
    code = f"""
import sys
from flows.repo import open_repo
import flows.night, flows.reprocess, flows.ingest, flows.server, flows.execute
with open_repo({str(empty_dir)!r}) as repo:
    repo.butler.query('datasets')
    repo.butler.stats()
heavy = [name for name in ('prefect', 'matplotlib', 'numba', 'astropy', 'scipy') if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_repository_shows_itself_in_a_notebook(empty_repo):
    assert "tiny" in empty_repo._repr_html_()


def test_products_are_stored_as_the_settings_say_and_are_the_same_without_loss(a_copy, ready_dir):
    root, contents, sizes = a_copy(ready_dir), {}, {}
    for compression in ("none", "mask", "gzip"):
        write_settings(root, read_settings(root).model_copy(update={"product_compression": compression}))
        with open_repo(root) as repo:
            run = run_reprocess(repo, "obs_type = 'science' and detector = 0", f"u/{compression}", engine="direct").run
            refs = repo.butler.datasets("", type="post_isr", collections=[run])
        contents[compression] = {ref.data_id: ref.content_sha256 for ref in refs}
        sizes[compression] = sum(ref.size for ref in refs)
    assert contents["none"] == contents["mask"] == contents["gzip"]
    assert sizes["gzip"] < sizes["none"]


def test_rounded_products_are_others_so_that_a_run_is_not_mixed_of_both(a_copy, ready_dir):
    root, where = a_copy(ready_dir), "obs_type = 'science' and detector = 0"
    with open_repo(root) as repo:
        assert run_reprocess(repo, where, "u/x", engine="direct").exit_code == 0
    write_settings(root, read_settings(root).model_copy(update={"product_compression": "rice"}))
    with open_repo(root) as repo:
        assert plan_reprocess(repo, where, "u/x").n_stale > 0
        report = run_reprocess(repo, where, "u/rounded", engine="direct")
        assert report.exit_code == 0, report.render()
        again = run_reprocess(repo, where, "u/again", engine="direct")
        contents = [
            {ref.data_id: ref.content_sha256 for ref in repo.butler.datasets("", type="post_isr", collections=[run])}
            for run in ("u/x", report.run, again.run)
        ]
    assert contents[0] != contents[1] == contents[2]
