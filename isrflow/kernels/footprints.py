"""Connected regions of a boolean mask: labels in a reproducible order, diamond growth, decomposition into boxes.

Pixels that touch at a side or a corner belong to one footprint. Footprints are numbered by the scan that finds them:
rows upward, pixels left to right, a pixel taking the number of its left neighbour, else of the first labelled of the
three pixels below, else a new one. Where that joins two numbers the right-hand object takes the number of the
left-hand one, even if its own is smaller. Lists of boxes follow this order.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Span = tuple[int, int, int]
"""A run of pixels: row, first column, column after the last."""
XYWH = tuple[int, int, int, int]
"""A box: x0, y0, width, height."""


def label(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Give the footprints of a mask the numbers 1, 2, ... in order.

    Returns
    -------
    labels : ndarray of int32
        Shape of `mask`, 0 outside footprints.
    n : int
        How many footprints there are.
    """
    rows = np.ascontiguousarray(mask)
    labels = np.zeros(rows.shape, np.int32)
    parents = np.zeros(_label_bound(rows.shape), np.int32)
    used = _scan(rows, labels, parents)
    roots = parents[: used + 1]
    order = np.unique(roots[1:])
    numbers = np.zeros(used + 1, np.int32)
    numbers[1:] = np.searchsorted(order, roots[1:]) + 1
    return numbers[labels], order.size


def grow(mask: Mask, radius: int) -> Mask:
    """Dilate a mask by the diamond ``|dx| + |dy| <= radius``, clipped to the array.

    The result is a new array; growing inside a view therefore never leaks out of that view.
    """
    grown = mask.copy()
    if not mask.any():
        return grown
    for _ in range(radius):
        before = grown.copy()
        grown[1:] |= before[:-1]
        grown[:-1] |= before[1:]
        grown[:, 1:] |= before[:, :-1]
        grown[:, :-1] |= before[:, 1:]
    return grown


def spans(mask: Mask) -> NDArray[np.int64]:
    """List the horizontal runs of a mask in reading order, as an array of (row, first, after the last)."""
    edges = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    edges[:, 1:-1] = mask
    steps = np.diff(edges, axis=1)
    rows, first = np.nonzero(steps == 1)
    after = np.nonzero(steps == -1)[1]
    return np.stack([rows, first, after], axis=1)


def boxes(mask: Mask) -> list[XYWH]:
    """Decompose the footprints of a mask into boxes, footprint by footprint in their order.

    Within a footprint: take the leftmost run of the lowest row that has pixels left, extend it upward while the next
    row still holds all of its columns, remove that box, repeat.
    """
    labels, n = label(mask)
    runs = spans(mask)
    owner = labels[runs[:, 0], runs[:, 1]]
    # Runs within a footprint never span two labels: neighbours in a row are connected.
    return [box for number in range(1, n + 1) for box in _boxes_of_runs(runs[owner == number])]


def _boxes_of_runs(runs: NDArray[np.int64]) -> list[XYWH]:
    """Decompose one footprint, given as runs."""
    left: dict[int, list[tuple[int, int]]] = {}
    for row, first, after in runs.tolist():
        left.setdefault(row, []).append((first, after))
    found: list[XYWH] = []
    for row in sorted(left):
        while left[row]:
            first, after = left[row].pop(0)
            top = row + 1
            while _take(left.get(top, []), first, after):
                top += 1
            found.append((first, row, after - first, top - row))
    return found


def _take(runs: list[tuple[int, int]], first: int, after: int) -> bool:
    """Cut ``[first, after)`` out of the runs of a row, if one of them holds all of it."""
    for i, (start, stop) in enumerate(runs):
        if start <= first and after <= stop:
            runs[i : i + 1] = [part for part in ((start, first), (after, stop)) if part[0] < part[1]]
            return True
    return False


def _label_bound(shape: tuple[int, ...]) -> int:
    """Bound the provisional labels a scan can deal out: pixels with no labelled neighbour, and the zero."""
    return ((shape[0] + 1) // 2) * ((shape[1] + 1) // 2) + 1


@nb.njit(cache=True, nogil=True)
def _scan(mask: NDArray[Any], labels: NDArray[Any], parents: NDArray[Any]) -> int:
    """Deal out labels and join them; on return every entry of `parents` is a root."""
    used = 0
    ny, nx = mask.shape
    for y in range(ny):
        for x in range(nx):
            if not mask[y, x]:
                continue
            current = labels[y, x - 1] if x > 0 else 0
            if y > 0:
                if current == 0 and x > 0:
                    current = labels[y - 1, x - 1]
                if current == 0:
                    current = labels[y - 1, x]
                right = labels[y - 1, x + 1] if x + 1 < nx else 0
                if current == 0:
                    current = right
                elif right not in (0, current):
                    a, b = current, right
                    while parents[a] != a:
                        a = parents[a]
                    while parents[b] != b:
                        b = parents[b]
                    parents[b] = a
            if current == 0:
                used += 1
                parents[used] = used
                current = used
            labels[y, x] = current
    for i in range(1, used + 1):
        root = i
        while parents[root] != root:
            root = parents[root]
        parents[i] = root
    return used
