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
    source = np.random.default_rng(1).random((4096, 4096), dtype=np.float32)
    target = np.empty_like(source)
    return median_seconds(lambda: np.copyto(target, source), runs=15, warm=3)
