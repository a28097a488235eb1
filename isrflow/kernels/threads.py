"""Using several cores: parallel kernels, and doing the same for several amplifiers at a time.

Results never depend on the number of threads, and several Python threads may use all of this at once.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numba as nb

T = TypeVar("T")
R = TypeVar("R")

_here = threading.local()
_one_at_a_time = threading.RLock()


def parallel_njit(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel that runs on all cores, as a decorator; its `dispatcher` is what numba made.

    Where neither TBB nor OpenMP is installed, as in slim containers, numba falls back on threads of its own, and ends
    the process if two Python threads start a kernel at once. There kernels wait for each other.
    """

    def compile_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher = nb.njit(parallel=True, cache=True, nogil=True, **options)(function)

        @functools.wraps(function)
        def call(*args: Any) -> Any:
            with _turn():
                return dispatcher(*args)

        call.dispatcher = dispatcher  # type: ignore[attr-defined]
        return call

    return compile_kernel


def _turn() -> AbstractContextManager[object]:
    try:
        is_safe = nb.threading_layer() != "workqueue"  # type: ignore[attr-defined]
    except ValueError:  # no kernel has run yet, so numba has not chosen
        is_safe = False
    return nullcontext() if is_safe else _one_at_a_time


def map_in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call a function for each item and return the results in order, on as many threads as compiled kernels use.

    Each item is dealt with by one thread, so results do not depend on their number. The first error, in the order of
    the items, is raised. The function should spend its time in numpy or in compiled kernels that are not parallel
    themselves; `has_all_cores` is false in it.
    """
    n_threads = min(nb.get_num_threads(), len(items)) if has_all_cores() else 1
    if n_threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads, initializer=_share_cores) as pool:
        return list(pool.map(function, items))


def has_all_cores() -> bool:
    """Tell whether a parallel kernel may be used here: not in `map_in_threads`, where the cores are at work already."""
    return not getattr(_here, "shares_cores", False)


def _share_cores() -> None:
    _here.shares_cores = True
