"""Running one quantum: claim it, read its inputs, do the task, publish what came out or record why nothing did."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isrflow.errors import GeometryError, IsrflowError, RawError, StepError, UnprocessableError
from isrflow.quantum.cache import InputCache
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.environment import threads
from isrflow.quantum.meter import Meter
from registry.errors import ConflictError, UnavailableError
from registry.refs import QuantumFailure

if TYPE_CHECKING:
    from registry.butler import Butler


@dataclass(frozen=True, slots=True)
class Task:
    """What a quantum can do: a function on its restricted context, and the dataset types it may give."""

    function: Callable[[QuantumContext], None]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuantumOutcome:
    """What came of one quantum; small, because it travels between processes."""

    quantum_id: int
    state: str
    """``done``, ``failed``, or ``left`` if somebody else has it or it is done already."""
    kind: str = ""
    message: str = ""
    seconds: float = 0.0


def run_quantum(
    butler: Butler,
    quantum_id: int,
    worker: str,
    tasks: Mapping[str, Task],
    *,
    lease_s: float = 120.0,
    cache: InputCache | None = None,
) -> QuantumOutcome:
    """Run a planned quantum in this process.

    Parameters
    ----------
    butler
        The repository, opened by this process.
    quantum_id
        Which one.
    worker
        The text that names this process in leases.
    tasks
        Task name to task.
    lease_s
        How long the claim outlives the last sign of life; it is renewed while the task runs.
    cache
        Keeps calibrations for the quanta to come.

    Returns
    -------
    QuantumOutcome
        Whatever happened: an exception of the task is recorded in the registry, not raised.
    """
    if not butler.lease([quantum_id], worker, lease_s):
        return QuantumOutcome(quantum_id, "left")
    meter = Meter()
    try:
        with _signs_of_life(butler, quantum_id, worker, lease_s):
            context = _context(butler, quantum_id, tasks, cache)
            tasks[context.inputs.quantum.task].function(context)
            metrics: dict[str, Any] = {**meter.read(), "threads": threads()}
            run, data_id = context.inputs.quantum.run, context.data_id
            butler.publish(quantum_id, context.outputs, run=run, data_id=data_id, worker=worker, metrics=metrics)
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this quantum alone and is recorded
        failure = failure_of(error, meter.read())
        try:
            butler.fail(quantum_id, worker, failure, retriable=is_retriable(error))
        except ConflictError:  # the lease ran out while this process slept; whoever has it now is not to be disturbed
            return QuantumOutcome(quantum_id, "left", failure.kind, failure.message, failure.seconds or 0.0)
        return QuantumOutcome(quantum_id, "failed", failure.kind, failure.message, failure.seconds or 0.0)
    return QuantumOutcome(quantum_id, "done", seconds=metrics["seconds"])


def failure_of(error: BaseException, metrics: Mapping[str, Any]) -> QuantumFailure:
    """Describe an exception for the registry: the kind is that of its first cause, the message that of the whole."""
    text = "".join(traceback.format_exception(error))
    return QuantumFailure(type(_cause(error)).__name__, str(error) or repr(error), text, **metrics)


def is_retriable(error: BaseException) -> bool:
    """Say whether trying again could help: not for data which no attempt can process."""
    return not isinstance(_cause(error), (UnprocessableError, RawError, GeometryError))


def _cause(error: BaseException) -> BaseException:
    inner = error.__cause__ if isinstance(error, StepError) else None
    return error if inner is None else inner


def _context(butler: Butler, quantum_id: int, tasks: Mapping[str, Task], cache: InputCache | None) -> QuantumContext:
    inputs = butler.inputs(quantum_id)
    task = inputs.quantum.task
    if task not in tasks:
        raise IsrflowError(f"this version of isrflow has no task {task!r}; it has {', '.join(tasks)}")
    return QuantumContext(butler, inputs, tasks[task].outputs, cache)


@contextmanager
def _signs_of_life(butler: Butler, quantum_id: int, worker: str, lease_s: float) -> Iterator[None]:
    """Renew the lease from a second thread; kernels release the interpreter, so a long step does not stop it."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(lease_s / 3):
            try:
                butler.heartbeat([quantum_id], worker, lease_s)
            except UnavailableError:
                continue  # a registry too busy now may answer a third of a lease later; if not, publishing says so

    thread = threading.Thread(target=renew, name=f"lease of quantum {quantum_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
