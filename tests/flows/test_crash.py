"""``kill -9`` of a whole night, at any moment: nothing is lost, nothing is half there, nothing is there twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import create_repo, open_repo
from flows.server import down, up
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night
from registry.owner import is_dead
from tests.flows.conftest import CALIBS, NIGHT, certify

pytestmark = pytest.mark.slow

RUN = f"night/{NIGHT}"
N_EXPOSURES = 10
N_QUANTA = 2 * N_EXPOSURES
SEED = 1066  # of the moments; each test prints its own


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A repository about to process ten exposures of two detectors."""
    folder = tmp_path_factory.mktemp("crash")
    night = simulate_night(load_camera("tiny"), folder, NIGHT, n_science=N_EXPOSURES, n_bias=1, n_dark=1, n_flat=1)
    with create_repo(folder / "repo", "tiny") as repo:
        ingest_paths(repo, night.raws)
        for kind in CALIBS:
            import_calib(repo, kind, (night.truths | night.tables)[kind])
        certify(repo, *CALIBS)
    return folder / "repo"


@pytest.fixture(scope="module")
def undisturbed(base, tmp_path_factory):
    """What the night gives if nobody kills it."""
    root = tmp_path_factory.mktemp("undisturbed") / "repo"
    shutil.copytree(base, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISRFLOW_EXECUTOR", "inline")
        repo = open_repo(root)
    with repo:
        assert run_night(repo, NIGHT, engine="direct").exit_code == 0
        return products(repo)


def products(repo):
    """Every product by id with the hash of its content, computed from the file now."""
    return {ref.id: (ref.type, ref.data_id, ref.content_sha256) for ref in repo.butler.datasets("", collections=[RUN])}


@pytest.mark.parametrize("number", range(9))
def test_a_night_killed_at_any_moment_is_completed_by_running_it_again(number, base, undisturbed, tmp_path):
    root = tmp_path / "repo"
    shutil.copytree(base, root)
    # From the first quantum to nearly the last, and then somewhere inside the next ones.
    kill_while_it_runs(
        root, "direct", after=number * N_QUANTA // 9, random_s=random.Random(SEED + number).uniform(0, 0.15)
    )
    check_that_a_second_run_completes(root, undisturbed)


@pytest.mark.prefect
def test_a_night_killed_under_prefect_is_completed_by_running_it_again(base, undisturbed, tmp_path):
    root = tmp_path / "repo"
    shutil.copytree(base, root)
    up(root)
    try:
        kill_while_it_runs(root, "prefect", after=N_QUANTA // 3, random_s=0.05)
        check_that_a_second_run_completes(root, undisturbed, engine="prefect")
    finally:
        down(root)


def kill_while_it_runs(root, engine, *, after, random_s):
    """Kill the program and all its workers at a moment after so many quanta are done."""
    script = Path(__file__).parent / "run_night.py"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "ISRFLOW_EXECUTOR": "local"}
    program = subprocess.Popen(
        [sys.executable, str(script), str(root), engine], env=environment, start_new_session=True
    )
    try:
        with open_repo(root, read_only=True) as repo:
            deadline = time.monotonic() + 90
            while started_and_done(repo) < after:
                assert program.poll() is None or started_and_done(repo) >= after, "it ended before it could be killed"
                assert time.monotonic() < deadline, "it never came so far"
                time.sleep(0.002)
        time.sleep(random_s)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def started_and_done(repo):
    """Return how many quanta are done, -1 before the first was begun."""
    if not repo.butler.collections(RUN):
        return -1
    states = [row.state for row in repo.butler.quanta(RUN)]
    return states.count("done") if set(states) & {"leased", "done"} else -1


def check_that_a_second_run_completes(root, undisturbed, engine="direct"):
    with open_repo(root) as repo:
        deadline = time.monotonic() + 30  # the kernel takes a moment to end what was killed
        while any(not is_dead(row.worker) for row in repo.butler.quanta(RUN, states=["leased"])):
            assert time.monotonic() < deadline, "a killed worker lives on"
            time.sleep(0.01)
        foreseen = repo.butler.recover(dry_run=True)
        assert all(item.what and item.action and item.explanation for item in foreseen.leftovers)
        n_done = started_and_done(repo)

        report = run_night(repo, NIGHT, engine=engine)
        assert (report.exit_code, report.n_done) == (0, N_QUANTA), report.render()
        assert report.n_already_done >= n_done
        assert bool(report.recovered) == bool(foreseen.leftovers)
        for item in foreseen.leftovers:
            assert item.what in report.recovered

        assert products(repo) == undisturbed
        assert not repo.butler.recover(dry_run=True).leftovers
        check = repo.butler.verify(rehash=True)  # no file without a row, no row without its file, every hash as stored
        assert check.ok, check.render()
    print(f"{n_done} of {N_QUANTA} were done; {len(foreseen.leftovers)} leftovers\n{report.recovered}")
