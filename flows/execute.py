"""Executors: who runs planned quanta. Inline, in this process; or local, in supervised worker processes.

A local worker that crashes, is killed or hangs costs the quantum it was at, and that alone: the supervisor names it in
the registry, starts another worker and goes on.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, TimeoutError, as_completed  # noqa: A004 - what a future raises
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar

from flows.present.warnings import show_warnings
from flows.repo import Repo, open_repo
from isrflow.quantum.cache import InputCache
from isrflow.quantum.quantum import QuantumOutcome, Task, run_quantum
from registry.owner import process_token
from registry.refs import QuantumFailure

ExecutorName = Literal["local", "inline"]
T = TypeVar("T")
R = TypeVar("R")
OnDone = Callable[[QuantumOutcome], None]
TASKS = "flows.tasks:TASKS"
CRASH, TIMEOUT = LOST = "crash", "timeout"
"""How quanta fail whose worker could not say so itself."""

# One core a worker: parallelism comes from quanta, and nested thread pools would only fight over the same cores.
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PRELOADED = ("flows.tasks", "flows.repo", "isrflow.recipe", "isrflow.run", "isrflow.frame.raw", "isrflow.calibs.files")


class Executor(Protocol):
    """Runs quanta that the registry has planned."""

    def run(self, quantum_ids: Sequence[int], on_done: OnDone) -> None:
        """Run quanta and call `on_done` with the outcome of each, in this thread; returns when all are over."""
        ...

    def each(self, function: Callable[[Repo, T], R], items: Sequence[T], on_done: Callable[[T, R | str], None]) -> None:
        """Call a function of a module with the repository and each item; if its worker dies, how it died is given."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_executor(repo: Repo, workers: int, name: ExecutorName | None = None) -> Executor:
    """Return the executor that the settings (or `name`) ask for, to be used in a ``with`` statement."""
    if (name or repo.settings.executor) == "inline":
        return InlineExecutor(repo)
    return LocalExecutor(repo, workers)


class InlineExecutor:
    """One quantum after the other in this process: for debuggers and small tests; a crash ends everything."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._cache = _new_cache(repo)

    def run(self, quantum_ids: Sequence[int], on_done: OnDone) -> None:
        """Run quanta one after the other."""
        from flows.tasks import TASKS

        for quantum_id in quantum_ids:
            on_done(_run_here(self._repo, TASKS, self._cache, quantum_id))

    def each(self, function: Callable[[Repo, T], R], items: Sequence[T], on_done: Callable[[T, R | str], None]) -> None:
        """Call the function here, with one item after the other."""
        for item in items:
            on_done(item, function(self._repo, item))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


class LocalExecutor:
    """Worker processes on this machine, each with its own connection to the registry.

    Safe to be used from several threads at once.

    Parameters
    ----------
    workers
        How many processes.
    tasks
        Where they find the table of tasks, as ``module:name``.
    """

    def __init__(self, repo: Repo, workers: int, tasks: str = TASKS) -> None:
        from pebble import ProcessPool

        self._repo = repo
        self._pool = ProcessPool(
            max_workers=workers,
            context=_fork_server(),
            initializer=_begin_worker,
            initargs=(str(repo.root), tasks),
        )

    def run(self, quantum_ids: Sequence[int], on_done: OnDone) -> None:
        """Run quanta in the workers, in any order."""
        timeout_s = self._repo.settings.quantum_timeout_s
        waiting: dict[Future[QuantumOutcome], int] = {
            self._pool.schedule(_run_in_worker, args=[quantum_id], timeout=timeout_s): quantum_id
            for quantum_id in quantum_ids
        }
        for future in as_completed(waiting):
            on_done(self._outcome(future, waiting[future]))

    def each(self, function: Callable[[Repo, T], R], items: Sequence[T], on_done: Callable[[T, R | str], None]) -> None:
        """Call the function in the workers; items are over in any order."""
        from pebble import ProcessExpired

        timeout_s = self._repo.settings.quantum_timeout_s
        waiting: dict[Future[R], T] = {
            self._pool.schedule(_call_in_worker, args=[function, item], timeout=timeout_s): item for item in items
        }
        for future in as_completed(waiting):
            try:
                result: R | str = future.result()
            except TimeoutError:
                result = f"took longer than {timeout_s:g} s (quantum_timeout_s) and was killed"
            except ProcessExpired as error:
                result = _last_words(error.exitcode)
            on_done(waiting[future], result)

    def _outcome(self, future: Future[QuantumOutcome], quantum_id: int) -> QuantumOutcome:
        from pebble import ProcessExpired

        try:
            return future.result()
        except TimeoutError:
            limit_s = self._repo.settings.quantum_timeout_s
            message = f"took longer than {limit_s:g} s (quantum_timeout_s) and was killed"
            return record_loss(self._repo, quantum_id, QuantumFailure(TIMEOUT, message, seconds=limit_s))
        except ProcessExpired as error:
            return record_loss(self._repo, quantum_id, QuantumFailure(CRASH, _last_words(error.exitcode)))
        except Exception as error:  # noqa: BLE001 - the worker could not even record it; its supervisor does
            failure = QuantumFailure(type(error).__name__, str(error) or repr(error))
            return record_loss(self._repo, quantum_id, failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.close()  # type: ignore[no-untyped-call]
        else:
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _fork_server() -> ForkServerContext:
    """Return the context whose workers are forked off a process that has imported everything and run nothing.

    Forking this process itself would not do: it may have run compiled kernels, whose threads do not survive a fork.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    resource_tracker.ensure_running()  # first, because it lets signals through again
    # It inherits that Ctrl-C is held back: it would end with a traceback in the middle of what it imports.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()  # it keeps the environment in which it was started
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def record_loss(repo: Repo, quantum_id: int, failure: QuantumFailure) -> QuantumOutcome:
    """Write down in a dead worker's stead how its quantum ended, and say what the registry then holds."""
    quantum = repo.butler.inputs(quantum_id).quantum
    if quantum.state == "done":  # it died after publishing: nothing is lost
        return QuantumOutcome(quantum_id, "done")
    worker = quantum.worker or process_token()
    if quantum.state == "leased" or repo.butler.lease([quantum_id], worker):
        repo.butler.fail(quantum_id, worker, failure)
        return QuantumOutcome(quantum_id, "failed", failure.kind, failure.message, failure.seconds or 0.0)
    return QuantumOutcome(quantum_id, "left", failure.kind, failure.message)


# ---------------------------------------------------------------------------------------- inside the worker process

_worker: dict[str, Any] = {}


def _begin_worker(root: str, tasks: str) -> None:
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    # Where processes are started by any kind of fork, numba makes a semaphore, and a stopped worker leaves it behind.
    multiprocessing.set_start_method("spawn", force=True)
    _end_with_supervisor()
    show_warnings()
    module, _, name = tasks.partition(":")
    _worker["tasks"] = getattr(importlib.import_module(module), name)
    _worker["repo"] = open_repo(Path(root))
    _worker["cache"] = _new_cache(_worker["repo"])


def _run_in_worker(quantum_id: int) -> QuantumOutcome:
    return _run_here(**_worker, quantum_id=quantum_id)


def _call_in_worker(function: Callable[[Repo, T], R], item: T) -> R:
    return function(_worker["repo"], item)


def _run_here(repo: Repo, tasks: Mapping[str, Task], cache: InputCache, quantum_id: int) -> QuantumOutcome:
    lease_s = repo.settings.lease_s
    return run_quantum(repo.butler, quantum_id, process_token(), tasks, lease_s=lease_s, cache=cache)


def _new_cache(repo: Repo) -> InputCache:
    return InputCache(round(repo.settings.cache_mb * 1e6))


def _end_with_supervisor() -> None:
    """End this worker when its supervisor is gone, so that nobody keeps working for a run that has died."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None

    def watch() -> None:
        connection.wait([supervisor.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="supervisor watch", daemon=True).start()


def _last_words(exit_code: int | None) -> str:
    if exit_code is None:
        return "its worker process vanished"
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = "unknown"
        hint = "; the kernel does this when memory runs out" if -exit_code == signal.SIGKILL else ""
        return f"its worker process was killed by signal {-exit_code} ({name}){hint}"
    return f"its worker process exited with status {exit_code}"
