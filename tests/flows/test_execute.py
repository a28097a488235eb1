from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.execute import InlineExecutor, LocalExecutor
from flows.repo import open_repo
from flows.work import describe, tidy
from isrflow.quantum.quantum import Task, run_quantum
from registry.owner import is_dead
from registry.refs import QuantumFailure, QuantumSpec


@pytest.fixture
def planned(a_copy, raw_dir, monkeypatch):
    """Open a repository with workers that find the bad tasks, and plan one quantum for each task named."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("ISRFLOW_QUANTUM_TIMEOUT_S", "6")
    monkeypatch.setenv("ISRFLOW_LEASE_S", "3")
    repo = open_repo(a_copy(raw_dir))
    repo.butler.register_collection("u/bad", "RUN")
    raws = repo.butler.datasets("", type="raw")

    def plan(*tasks):
        specs = [
            QuantumSpec(task, raw.data_id, (("raw", raw.id),), (), "key")
            for task, raw in zip(tasks, raws, strict=False)
        ]
        return repo, repo.butler.plan("u/bad", specs, config={}, software={})

    yield plan
    repo.close()


def run(repo, rows, workers=2):
    outcomes = []
    with LocalExecutor(repo, workers, "bad_tasks:TASKS") as executor:
        executor.run([row.id for row in rows], outcomes.append)
    names = {row.id: row.task for row in rows}
    return {names[item.quantum_id]: item for item in outcomes}


def states(repo):
    return {row.task: (row.state, row.error_kind) for row in repo.butler.quanta("u/bad")}


@pytest.mark.slow
def test_a_quantum_that_crashes_or_hangs_costs_itself_alone_and_is_named(planned):
    repo, rows = planned("segfault", "fine", "killed", "hang", "leave", "slow", "hopeless", "greedy")
    outcomes = run(repo, rows)
    assert states(repo) == {
        "segfault": ("failed", "crash"),
        "killed": ("failed", "crash"),
        "leave": ("failed", "crash"),
        "hang": ("failed", "timeout"),
        "hopeless": ("failed", "UnprocessableError"),
        "greedy": ("failed", "ConfigError"),
        "fine": ("done", None),
        "slow": ("done", None),  # longer than its lease, which was renewed
    }
    assert "SIGSEGV" in outcomes["segfault"].message
    assert "SIGKILL" in outcomes["killed"].message
    assert "status 7" in outcomes["leave"].message
    assert "6 s" in outcomes["hang"].message
    assert "did not declare an input 'flat'" in outcomes["greedy"].message
    retriable = {row.task: row.retriable for row in repo.butler.quanta("u/bad")}
    assert not retriable["hopeless"]
    assert retriable["hang"]


def test_what_a_dead_worker_left_is_cleared_away_at_the_end_of_the_run(planned):
    repo, rows = planned("half_published", "fine")
    run(repo, rows)
    assert repo.butler.recover(dry_run=True).leftovers
    text = tidy(repo, repo.butler.quanta("u/bad"))
    assert "isr_statistics" in text
    assert not repo.butler.recover(dry_run=True).leftovers
    assert tidy(repo, repo.butler.quanta("u/bad")) == ""


def test_what_a_quantum_cost_is_recorded(planned):
    repo, rows = planned("fine")
    run(repo, rows, workers=1)
    (row,) = repo.butler.quanta("u/bad")
    assert 0 <= row.seconds < 6
    assert row.cpu_s >= 0
    assert 1e6 < row.peak_rss_bytes < 1e10


def test_a_quantum_somebody_else_holds_is_left_to_them(planned):
    repo, rows = planned("fine")
    repo.butler.lease([rows[0].id], "somebody else", 60)
    outcomes = []
    InlineExecutor(repo).run([rows[0].id], outcomes.append)
    assert [item.state for item in outcomes] == ["left"]
    assert states(repo)["fine"][0] == "leased"


def test_a_worker_that_overslept_its_lease_leaves_the_quantum_to_its_new_holder(planned):
    repo, rows = planned("fine")

    def oversleep(context):
        repo.butler.fail(rows[0].id, "late riser", QuantumFailure("timeout", "its lease ran out"))
        repo.butler.lease([rows[0].id], "early riser", 60)
        context.put("isr_statistics", {"amplifiers": {}})

    tasks = {"fine": Task(oversleep, ("isr_statistics",))}
    outcome = run_quantum(repo.butler, rows[0].id, "late riser", tasks)
    assert outcome.state == "left"
    assert "not leased by late riser" in outcome.message
    assert repo.butler.inputs(rows[0].id).quantum.worker == "early riser"


def test_a_quantum_of_an_unknown_task_fails_by_name(planned):
    repo, rows = planned("fortune_telling")
    outcomes = []
    InlineExecutor(repo).run([rows[0].id], outcomes.append)
    assert "no task 'fortune_telling'" in outcomes[0].message
    assert describe(rows[0]).startswith("fortune_telling of tiny exposure=")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_workers_end_with_their_supervisor(planned, tmp_path, number):
    repo, rows = planned("hang")
    script = tmp_path / "supervisor.py"
    script.write_text(
        f"""
import signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would this
from flows.execute import LocalExecutor
from flows.repo import open_repo
if __name__ == "__main__":
    with open_repo({str(repo.root)!r}) as repo, LocalExecutor(repo, 1, "bad_tasks:TASKS") as executor:
        executor.run([{rows[0].id}], print)
""",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "ISRFLOW_QUANTUM_TIMEOUT_S": "600"}
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, str(script)]
        supervisor = subprocess.Popen(command, env=environment, stderr=log)
    try:
        worker = until(lambda: next((row.worker for row in repo.butler.quanta("u/bad") if row.state == "leased"), None))
        assert not is_dead(worker)
        supervisor.send_signal(number)
        supervisor.wait(30)
    finally:
        supervisor.kill()
        supervisor.wait()
    assert supervisor.returncode == -number
    until(lambda: is_dead(worker))
    assert [item.kind for item in repo.butler.recover().leftovers] == ["lease"]
    assert states(repo)["hang"][0] == "planned"


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
