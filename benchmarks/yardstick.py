"""The yardstick of all pixel benchmarks: the time of one numpy copy of a 4096 x 4096 float32 plane, in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np


def median_seconds(work: Callable[[], object], *, runs: int = 5, warm: int = 1) -> float:
    """Return the median wall time of `work` after warming up."""
    for _ in range(warm):
        work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def plane_copy_seconds() -> float:
    """Time one copy of a plane into memory that is already there."""
    return plane_copy_times()[0]


def plane_copy_times() -> tuple[float, float]:
    """Time one copy of a plane into memory that is already there: wall and processor seconds.

    On a busy machine the wall time grows with the neighbours' work, and processor times are to be divided by the other.
    """
    source = np.random.default_rng(1).random((4096, 4096), dtype=np.float32)
    target = np.empty_like(source)
    times = []
    for _ in range(18):
        wall, cpu = time.perf_counter(), time.process_time()
        np.copyto(target, source)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = (statistics.median(column) for column in zip(*times[3:], strict=True))
    return wall, cpu
