"""A night whose files are in a bucket: from raw files to a checked, deleted and remade run."""

from __future__ import annotations

import pytest

from flows.deleting import delete_datasets
from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import create_repo, open_repo
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night
from tests.flows.conftest import CALIBS, NIGHT, certify
from tests.registry.s3_server import BUCKET, s3, server  # noqa: F401 - fixtures


@pytest.fixture
def small_night(tmp_path):
    return simulate_night(load_camera("tiny"), tmp_path / "sim", NIGHT, n_science=2, n_bias=1, n_dark=1, n_flat=1)


def test_a_night_in_a_bucket(s3, tmp_path, small_night):  # noqa: F811
    create_repo(tmp_path / "repo", "tiny", datastore=f"s3://{BUCKET}/tiny").close()
    with open_repo(tmp_path / "repo") as repo:
        ingest_paths(repo, small_night.raws)
        for kind in CALIBS:
            import_calib(repo, kind, (small_night.truths | small_night.tables)[kind])
        certify(repo, *CALIBS)
        report = run_night(repo, NIGHT)
        assert (report.n_done, report.n_failed) == (4, 0)
        products = repo.butler.datasets("run = 'night/20260301'")
        assert repo.butler.verify(rehash=True).ok
        biases = repo.butler.datasets("type = 'bias'")
        assert all(s3.requests.count(("GET", f"/{BUCKET}/tiny/{ref.path}")) <= 2 for ref in biases), (
            "cached, but verified"
        )
        delete_datasets(repo, run="night/20260301", reason="test")
        again = run_night(repo, NIGHT)
        assert (again.n_done, again.n_failed, len(again.remade)) == (4, 0, 4)
        assert {ref.id: ref.content_sha256 for ref in repo.butler.datasets("run = 'night/20260301'")} == {
            ref.id: ref.content_sha256 for ref in products
        }
        assert not repo.butler.recover().leftovers
