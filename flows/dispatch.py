"""Handing an order to the engine that was chosen: the same core function runs under each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from flows.engine import EngineChoice, choose_engine
from flows.execute import OnDone, open_executor
from flows.outcome import OnProgress, RunReport
from flows.repo import Repo
from flows.server import prepare_client
from flows.settings import EngineName, worker_count
from flows.work import RunQuanta
from registry.refs import QuantumRow


class Core(Protocol):
    """The Prefect-free body of a flow; its keyword arguments are plain values, so that any engine can pass them on."""

    __name__: str

    def __call__(
        self, repo: Repo, run_quanta: RunQuanta, engine: EngineChoice, on_progress: OnProgress | None, **order: Any
    ) -> RunReport:
        """Clear up, plan, run and report."""
        ...


def dispatch(
    core: Core,
    repo: Repo,
    order: Mapping[str, Any],
    *,
    engine: EngineName | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Run a core function under an engine.

    Parameters
    ----------
    core
        What to do; the Prefect engine finds its flow by the function's name.
    order
        Its keyword arguments, plain values.
    engine, workers
        By default as the repository's settings say.

    Raises
    ------
    ServerError
        If Prefect was asked for and there is no server; else whatever `core` raises.
    """
    choice = choose_engine(engine or repo.settings.engine, repo.root)
    n_workers = worker_count(repo.settings, workers)
    if choice.name == "prefect":
        prepare_client()
        from flows.engine_prefect import run_flow

        return run_flow(core.__name__, repo, order, choice=choice, workers=n_workers, on_progress=on_progress)
    with open_executor(repo, n_workers) as executor:

        def run_quanta(quanta: Sequence[QuantumRow], on_done: OnDone) -> None:
            executor.run([row.id for row in quanta], on_done)

        return core(repo, run_quanta, choice, on_progress, **order)
