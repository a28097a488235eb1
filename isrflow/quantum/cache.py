"""Calibrations and cameras that one process has read already: quanta of a night share most of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from registry.refs import DatasetRef

_LARGEST_SHARE = 4
"""What takes more than the budget divided by this is not kept: a few large pictures would push out everything else."""


class InputCache:
    """Values by dataset id, the least recently used dropped first.

    What it hands out is shared: nobody may change it. Safe to be used from several threads.

    Parameters
    ----------
    budget_bytes
        How much to keep, by the size of the files; 0 keeps nothing.
    """

    def __init__(self, budget_bytes: int = 256 << 20) -> None:
        self._budget = budget_bytes
        self._values: OrderedDict[UUID, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, ref: DatasetRef, read: Callable[[DatasetRef], Any]) -> Any:
        """Return the value of a dataset, by `read` if it is not kept."""
        with self._lock:
            if ref.id in self._values:
                self._values.move_to_end(ref.id)
                return self._values[ref.id][0]
        value = read(ref)
        size = ref.size or self._budget
        if size * _LARGEST_SHARE <= self._budget:
            with self._lock:
                self._values[ref.id] = (value, size)
                self._drop()
        return value

    @property
    def n_bytes(self) -> int:
        """Size of the files whose values are kept."""
        return sum(size for _, size in self._values.values())

    def _drop(self) -> None:
        while self.n_bytes > self._budget:
            self._values.popitem(last=False)
