"""Several processes that write at the same time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from registry_workload import Measure, Workload

Part = tuple[list[float], float, float, list[str]]
"""How long each put took, when the first began and the last ended, and what failed."""


def crowd(put_share: Callable[..., Part], work: Sequence[tuple[Path, list[tuple[int, int]]]]) -> Measure:
    """Let a process each put its share, all at the same time; the seconds run from the first put to the last."""
    with multiprocessing.get_context("spawn").Pool(len(work)) as pool:
        parts = pool.starmap(put_share, work)
    waits = [wait for part in parts for wait in part[0]]
    seconds = max(part[2] for part in parts) - min(part[1] for part in parts)
    errors = [error for part in parts for error in part[3]]
    return Measure(len(waits), seconds, waits, f"{len(errors)} errors: {errors[0]}" if errors else "")


def shares(work: Workload) -> list[list[tuple[int, int]]]:
    """Return the exposures and detectors that each process puts, one more than it is timed for."""
    pairs = work.spread(work.writers * (work.puts_per_writer + 1))
    return [pairs[i :: work.writers] for i in range(work.writers)]


def timed_puts(put: Callable[[Any], object], things: Sequence[Any]) -> Part:
    """Put things one by one."""
    waits: list[float] = []
    errors: list[str] = []
    begin = time.time()
    for thing in things:
        started = time.perf_counter()
        try:
            put(thing)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is counted and shown
            errors.append(f"{type(error).__name__}: {error}"[:200])
        waits.append(time.perf_counter() - started)
    return waits, begin, time.time(), errors
