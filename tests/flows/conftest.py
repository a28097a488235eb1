"""One observing day of the camera `tiny`, and repositories that hold it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import create_repo, open_repo
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night
from registry.timespan import ALL_TIME

NIGHT = 20260301
N_SCIENCE = 3
CALIBS = ("bias", "dark", "flat", "defects", "linearizer")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """The user's own ISRFLOW_* and PREFECT_* variables are none of a test's business."""
    import os

    for name in [name for name in os.environ if name.startswith(("ISRFLOW_", "PREFECT_"))]:
        if name not in {"ISRFLOW_VECTORS", "ISRFLOW_REALDATA", "ISRFLOW_LSST_FILES"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("ISRFLOW_EXECUTOR", "inline")


@pytest.fixture(scope="session")
def night_files(tmp_path_factory):
    """Raws and true calibrations of one observing day."""
    folder = tmp_path_factory.mktemp("sim")
    return simulate_night(load_camera("tiny"), folder, NIGHT, n_science=N_SCIENCE, n_bias=3, n_dark=3, n_flat=3, seed=5)


@pytest.fixture(scope="session")
def empty_dir(tmp_path_factory):
    """A repository with nothing in it."""
    root = tmp_path_factory.mktemp("empty") / "repo"
    create_repo(root, "tiny").close()
    return root


@pytest.fixture(scope="session")
def raw_dir(tmp_path_factory, empty_dir, night_files):
    """A repository with the raws."""
    root = tmp_path_factory.mktemp("raws") / "repo"
    shutil.copytree(empty_dir, root)
    with open_repo(root) as repo:
        ingest_paths(repo, night_files.raws)
    return root


@pytest.fixture(scope="session")
def imported_dir(tmp_path_factory, raw_dir, night_files):
    """A repository with the raws and the true calibrations, none certified."""
    root = tmp_path_factory.mktemp("imported") / "repo"
    shutil.copytree(raw_dir, root)
    with open_repo(root) as repo:
        for kind in CALIBS:
            import_calib(repo, kind, (night_files.truths | night_files.tables)[kind])
    return root


@pytest.fixture(scope="session")
def ready_dir(tmp_path_factory, imported_dir):
    """A repository that can process its night."""
    root = tmp_path_factory.mktemp("ready") / "repo"
    shutil.copytree(imported_dir, root)
    with open_repo(root) as repo:
        certify(repo, *CALIBS)
    return root


@pytest.fixture(scope="session")
def night_dir(tmp_path_factory, ready_dir):
    """A repository whose night is done, for one detector."""
    root = tmp_path_factory.mktemp("night") / "repo"
    shutil.copytree(ready_dir, root)
    with open_repo(root) as repo:
        assert run_night(repo, NIGHT, engine="direct", where="detector = 0").exit_code == 0
    return root


def certify(repo, *kinds, detectors=(0, 1)):
    for kind in kinds:
        refs = repo.butler.datasets("", type=kind, collections=[f"imported/{kind}"])
        repo.butler.certify("calibs", [ref for ref in refs if ref.data_id.detector in detectors], ALL_TIME)


@pytest.fixture
def a_copy(tmp_path):
    """Copy a repository to where it may be changed."""

    def copy(root: Path) -> Path:
        target = tmp_path / "repo"
        shutil.copytree(root, target)
        return target

    return copy


@pytest.fixture
def repo(a_copy, ready_dir):
    with open_repo(a_copy(ready_dir)) as opened:
        yield opened


@pytest.fixture
def imported_repo(a_copy, imported_dir):
    with open_repo(a_copy(imported_dir)) as opened:
        yield opened


@pytest.fixture
def empty_repo(a_copy, empty_dir):
    with open_repo(a_copy(empty_dir)) as opened:
        yield opened
