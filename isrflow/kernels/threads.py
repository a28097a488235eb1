"""Doing the same for several amplifiers at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba as nb

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call a function for each item and return the results in order, on as many threads as compiled kernels use.

    Each item is dealt with by one thread, so results do not depend on their number. The first error, in the order of
    the items, is raised. The function should spend its time in numpy or in compiled kernels that are not parallel
    themselves.
    """
    n_threads = min(nb.get_num_threads(), len(items))
    if n_threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))
