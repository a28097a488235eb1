"""The Prefect engine: one flow for every plain function, one task for every chunk of quanta.

Prefect gives schedules, a page to look at, and a record of runs. What was done is known from the registry alone: a lost
task run, a dead server or a state that lies cost nothing but a line on that page.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from prefect import Flow, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.calibrate import calibs
from flows.chunks import chunks_of
from flows.dispatch import Core
from flows.engine import EngineChoice, lost_servers
from flows.execute import Executor, OnDone, open_executor
from flows.night import night
from flows.outcome import ALL_OK, NOTHING_SUCCEEDED, OnProgress, RunReport
from flows.repo import Repo, open_repo
from flows.reprocess import reprocess
from flows.server import HOME, ServerError, is_healthy
from flows.settings import worker_count
from isrflow.quantum.quantum import QuantumOutcome
from registry.refs import QuantumRow

_AHEAD = 4
"""Chunks submitted per worker before the first of them is waited for."""
# Threads only wait for worker processes; how many of those there are is the flow's parameter.
_RUNNER: Any = ThreadPoolTaskRunner(max_workers=64)


@dataclass
class _Caller:
    """Who waits in this process for a flow: what to tell, and what came back past Prefect."""

    choice: EngineChoice
    on_progress: OnProgress | None
    report: RunReport | None = None
    error: Exception | None = None


_caller: ContextVar[_Caller | None] = ContextVar("caller", default=None)


@flow(name="night", task_runner=_RUNNER)
def night_flow(
    *,
    repository: str,
    day: str = "last",
    settings: dict[str, Any] | None = None,
    where: str = "",
    retry_failed: bool = True,
    context: str | None = None,
    workers: int | None = None,
) -> State[Any]:
    """Process a night; the parameters are those of `flows.night.run_night`."""
    order = {"day": day, "settings": settings, "where": where, "retry_failed": retry_failed, "context": context}
    return _run(night, repository, workers, order)


@flow(name="reprocess", task_runner=_RUNNER)
def reprocess_flow(
    *,
    repository: str,
    where: str,
    out_run: str,
    settings: dict[str, Any] | None = None,
    retry_failed: bool = True,
    context: str | None = None,
    config: dict[str, Any] | None = None,
    collections: list[str] | None = None,
    workers: int | None = None,
) -> State[Any]:
    """Correct what a query selects; the parameters are those of `flows.reprocess.run_reprocess`."""
    order: dict[str, Any] = {
        "where": where,
        "out_run": out_run,
        "settings": settings,
        "retry_failed": retry_failed,
        "context": context,
        "config": config,
        "collections": collections or [],
    }
    return _run(reprocess, repository, workers, order)


@flow(name="calibs", task_runner=_RUNNER)
def calibs_flow(
    *,
    repository: str,
    types: list[str],
    day: str,
    out_run: str,
    settings: dict[str, Any] | None = None,
    workers: int | None = None,
) -> State[Any]:
    """Make calibrations; the parameters are those of `flows.calibrate.build_calibs`."""
    order = {"types": types, "day": day, "out_run": out_run, "settings": settings}
    return _run(calibs, repository, workers, order)


FLOWS: Mapping[str, Flow[..., Any]] = {"night": night_flow, "reprocess": reprocess_flow, "calibs": calibs_flow}
"""Core function's name to flow."""


def run_flow(
    name: str,
    repo: Repo,
    order: Mapping[str, Any],
    *,
    choice: EngineChoice,
    workers: int,
    on_progress: OnProgress | None,
) -> RunReport:
    """Run a flow in this process, under the chosen server, and return the registry's account of it.

    Raises
    ------
    ServerError
        If the server could not be reached before any work was done.
    Exception
        What the core function refused, as it was raised.
    """
    caller = _Caller(choice, on_progress)
    token = _caller.set(caller)
    try:
        with _client_settings(repo, choice):
            state: Any = FLOWS[name](repository=str(repo.root), workers=workers, **order, return_state=True)
            problem = str(state.message)
    except Exception as error:  # noqa: BLE001 - whatever ails the server, the work may have been done all the same
        problem = f"{type(error).__name__}: {error}"
    finally:
        _caller.reset(token)
    if not is_healthy(choice.api_url):
        _give_up(choice.api_url)
    if caller.error is not None:
        raise caller.error
    if caller.report is None:
        raise ServerError(
            f"the Prefect server at {choice.api_url} did not run the flow: {problem}",
            fix="isrflow down, then isrflow up; or take --engine direct",
        )
    return caller.report


def _give_up(api_url: str) -> None:
    """Note that a server went away, and keep Prefect from complaining about it for the rest of the process."""
    lost_servers.append(api_url)
    for name in ("prefect", "prefect._internal.concurrency", "prefect.events.clients"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    sys.stderr.write(f"warning: the Prefect server at {api_url} went away; what was done is in the registry\n")


def _run(core: Core, repository: str, workers: int | None, order: Mapping[str, Any]) -> State[Any]:
    """Do what the core function does, its quanta in chunks, and say in Prefect's words what came of it."""
    waiting = _caller.get()
    caller = waiting or _Caller(EngineChoice("prefect", "started by the Prefect server"), None)
    try:
        with open_repo(repository) as repo:
            n_workers = worker_count(repo.settings, workers)
            with open_executor(repo, n_workers) as executor:
                run_quanta = _chunk_runner(executor, n_workers)
                caller.report = core(repo, run_quanta, caller.choice, caller.on_progress, **order)
    except Exception as error:
        caller.error = error
        if waiting is None:
            raise
        return Failed(message=str(error))  # whoever waits raises it; Prefect need not print it as well
    if not caller.choice.api_url or is_healthy(caller.choice.api_url):
        _leave_artifacts(caller.report)
    return _state_of(caller.report)


def _chunk_runner(executor: Executor, workers: int) -> Callable[[Sequence[QuantumRow], OnDone], None]:
    def run_quanta(quanta: Sequence[QuantumRow], on_done: OnDone) -> None:
        one_at_a_time = threading.Lock()

        def tell(outcome: QuantumOutcome) -> None:
            with one_at_a_time:
                on_done(outcome)

        @task(cache_policy=NO_CACHE, persist_result=False)
        def run_chunk(quantum_ids: list[int]) -> State[Any]:
            states: Counter[str] = Counter()

            def count(outcome: QuantumOutcome) -> None:
                states[outcome.state] += 1
                tell(outcome)

            executor.run(quantum_ids, count)
            words = ", ".join(f"{number} {state}" for state, number in states.items())
            return Completed(name="WithFailures" if states["failed"] else "Completed", message=words)

        waiting: deque[PrefectFuture[Any]] = deque()
        for chunk in chunks_of(quanta, workers):
            if len(waiting) >= _AHEAD * workers:
                waiting.popleft().wait()
            named = run_chunk.with_options(task_run_name=_chunk_name(chunk))
            waiting.append(named.submit([row.id for row in chunk]))
        for future in waiting:
            future.wait()

    return run_quanta


def _chunk_name(chunk: Sequence[QuantumRow]) -> str:
    first = chunk[0].data_id
    detectors = ",".join(str(row.data_id.detector) for row in chunk)
    return f"{chunk[0].task} {first.exposure or first.physical_filter or first.instrument} detectors {detectors}"


def _state_of(report: RunReport) -> State[Any]:
    if report.exit_code == ALL_OK:
        return Completed(message=report.headline)
    if report.exit_code == NOTHING_SUCCEEDED:
        return Failed(message=report.headline)
    return Completed(name="Partial", message=report.headline)


def _leave_artifacts(report: RunReport) -> None:
    """Leave the report on the server's page: the text, and a table of what gave no product."""
    key = re.sub(r"[^a-z0-9]+", "-", report.run.lower()).strip("-")
    create_markdown_artifact(f"```\n{report.render()}\n```", key=key, description=report.headline)
    troubles = [*report.failures, *report.skipped]
    table = [{"what": item.what, "kind": item.kind, "message": item.message} for item in troubles]
    create_table_artifact(table, key=f"{key}-troubles", description=f"{len(troubles)} quanta without products")


@contextmanager
def _client_settings(repo: Repo, choice: EngineChoice) -> Iterator[None]:
    """Point Prefect at the chosen server; of a server of our own nothing is written outside the repository."""
    updates: dict[Any, Any] = {PREFECT_API_URL: choice.api_url}
    if choice.is_own_server:
        updates[PREFECT_HOME] = repo.root / HOME / "client"
    with temporary_settings(updates=updates):
        yield
