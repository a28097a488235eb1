"""Doing the same for several amplifiers at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba as nb

T = TypeVar("T")
R = TypeVar("R")

_here = threading.local()


def map_in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call a function for each item and return the results in order, on as many threads as compiled kernels use.

    Each item is dealt with by one thread, so results do not depend on their number. The first error, in the order of
    the items, is raised. The function should spend its time in numpy or in compiled kernels that are not parallel
    themselves; `has_all_cores` is false in it.
    """
    n_threads = min(nb.get_num_threads(), len(items))
    if n_threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads, initializer=_share_cores) as pool:
        return list(pool.map(function, items))


def has_all_cores() -> bool:
    """Tell whether a parallel kernel may be used here: not in `map_in_threads`, where the cores are at work already."""
    return not getattr(_here, "shares_cores", False)


def _share_cores() -> None:
    _here.shares_cores = True
