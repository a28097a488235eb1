"""One small night under a real Prefect server, started as users start it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from flows.calibrate import build_calibs
from flows.engine import choose_engine
from flows.night import run_night
from flows.repo import open_repo
from flows.reprocess import run_reprocess
from flows.server import ServerError, down, running, up
from registry.errors import ConflictError
from tests.flows.conftest import CALIBS, N_SCIENCE, NIGHT, certify

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory, imported_dir):
    root = tmp_path_factory.mktemp("served") / "repo"
    shutil.copytree(imported_dir, root)
    info = up(root)
    try:
        yield root, info
    finally:
        assert down(root)
        assert running(root) is None


def ask(info, path, **body):
    request = urllib.request.Request(
        f"{info.api_url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_a_night_under_prefect_is_partial_then_whole_and_the_server_shows_it(served):
    root, info = served
    assert up(root).already_running
    choice = choose_engine("auto", root)
    assert (choice.name, info.url in choice.reason) == ("prefect", True)

    with open_repo(root) as repo:
        certify(repo, *CALIBS, detectors=(0,))
        seen = []
        first = run_night(repo, NIGHT, workers=1, on_progress=seen.append)
        assert (first.engine, first.exit_code, first.n_done, first.n_skipped) == ("prefect", 2, N_SCIENCE, N_SCIENCE)
        assert seen[-1].done == seen[-1].total == N_SCIENCE
        certify(repo, *CALIBS, detectors=(1,))
        second = run_night(repo, NIGHT, workers=1)
        assert (second.exit_code, second.n_done, second.n_already_done) == (0, 2 * N_SCIENCE, N_SCIENCE)

        again = run_reprocess(repo, "obs_type = 'science'", "u/direct", engine="direct")
        assert again.exit_code == 0
        content = {
            run: {
                ref.data_id: ref.content_sha256 for ref in repo.butler.datasets("", type="post_isr", collections=[run])
            }
            for run in (f"night/{NIGHT}", "u/direct")
        }
        assert content[f"night/{NIGHT}"] == content["u/direct"]

        with pytest.raises(ConflictError, match="another content"):
            run_night(repo, NIGHT, settings={"dark.enabled": False})

    runs = sorted(ask(info, "flow_runs/filter"), key=lambda item: item["start_time"])
    assert [item["state"]["name"] for item in runs] == ["Partial", "Completed", "Failed"]
    assert "3 of 6 done" in runs[0]["state"]["message"]
    tables = ask(info, "artifacts/filter", artifacts={"type": {"any_": ["table"]}})
    assert any("no bias" in item["data"] for item in tables)


def test_calibrations_are_made_under_prefect_too(served):
    root, info = served
    with open_repo(root) as repo:
        report = build_calibs(repo, ["bias"], NIGHT, workers=1)
        assert (report.engine, report.exit_code, report.n_done) == ("prefect", 0, 2)
    assert "calibs" in {item["name"] for item in ask(info, "flows/filter")}


def test_a_server_that_is_gone_is_an_error_with_the_way_out(a_copy, ready_dir, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with open_repo(a_copy(ready_dir)) as repo, pytest.raises(ServerError, match="--engine direct"):
        run_night(repo, NIGHT)


def test_the_serving_process_runs_the_last_night_when_told_and_ends_when_asked(served, tmp_path):
    root, info = served
    with open_repo(root) as repo:
        certify(repo, *CALIBS)
    environment = {**os.environ, "PREFECT_API_URL": info.api_url, "PREFECT_HOME": str(tmp_path / "home")}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.deploy", "--repo", str(root)], env=environment, stdout=log, stderr=log
        )
    try:
        deployment = until(lambda: next(iter(ask(info, "deployments/filter")), None), process)
        assert deployment["parameters"] == {"repository": str(root), "day": "last"}
        assert deployment["schedules"][0]["schedule"]["cron"] == "0 16 * * *"
        run = ask(info, f"deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})
        which = {"id": {"any_": [run["id"]]}}

        def over():
            (now,) = ask(info, "flow_runs/filter", flow_runs=which)
            return now["state"] if now["state"]["type"] in {"COMPLETED", "FAILED", "CRASHED"} else None

        state = until(over, process)
        assert state["type"] == "COMPLETED", (state, (tmp_path / "log").read_text())
        assert f"night/{NIGHT}: {2 * N_SCIENCE} of {2 * N_SCIENCE} done" in state["message"]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()


def until(condition, process, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the serving process has ended"
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError("it did not happen in time")


def test_a_server_that_dies_during_a_night_costs_neither_products_nor_patience(served, tmp_path):
    root = tmp_path / "repo"
    with open_repo(served[0]) as repo:
        certify(repo, *CALIBS, detectors=(0, 1))
    shutil.copytree(served[0], root, ignore=shutil.ignore_patterns("prefect", ".prefect"))
    info = up(root)
    command = [sys.executable, "-c", "from flows.cli import main; main()", "reprocess", "obs_type = 'science'"]
    command += ["--out", "orphaned", "--repo", str(root), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as night:
        with open_repo(root, read_only=True) as repo:
            while not (repo.butler.collections("orphaned") and repo.butler.quanta("orphaned", states=["done"])):
                assert night.poll() is None
                time.sleep(0.01)
        os.killpg(info.pid, signal.SIGKILL)
        output, errors = night.communicate(timeout=150)
    assert night.returncode == 0, errors
    assert json.loads(output)["n_done"] == 2 * N_SCIENCE
    assert "went away; what was done is in the registry" in errors
    down(root)
