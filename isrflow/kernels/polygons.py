"""Polygons as arrays of vertices (n, 2), x then y: area, clipping of convex ones, and the pixels outside of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.float64]
Runs = NDArray[np.int64]

_ON_EDGE = 1e-9
"""A pixel centre nearer to an edge than this, in pixels, lies on it."""


def signed_area(vertices: Vertices) -> float:
    """Return the area by the shoelace formula, positive if the vertices run counter-clockwise (y upward)."""
    if len(vertices) < 3:
        return 0.0
    x, y = (vertices - vertices[0]).T  # near the origin, where no digits cancel
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def is_convex(vertices: Vertices) -> bool:
    """Tell whether the boundary never turns both ways, nor goes round more than once."""
    steps = np.roll(vertices, -1, axis=0) - vertices
    steps = steps[np.any(steps != 0, axis=1)]
    if len(steps) < 3:
        return True
    after = np.roll(steps, -1, axis=0)
    turns = steps[:, 0] * after[:, 1] - steps[:, 1] * after[:, 0]
    lengths = np.hypot(*steps.T) * np.hypot(*after.T)
    bends = turns[np.abs(turns) > 1e-12 * lengths]
    angles = np.arctan2(turns, np.sum(steps * after, axis=1))
    return bool(np.all(bends > 0) or np.all(bends < 0)) and abs(float(angles.sum())) < 2.5 * np.pi


def clip_convex(subject: Vertices, window: Vertices) -> Vertices:
    """Cut a convex polygon down to what lies in another convex polygon.

    Parameters
    ----------
    subject, window
        Convex, either way round. The result runs the way `subject` does and begins with one of its vertices if any is
        left.

    Returns
    -------
    ndarray of float64
        (n, 2); no vertices if nothing, or no area, is left.

    References
    ----------
    Sutherland & Hodgman 1974, Comm. ACM 17, 32.
    """
    empty = np.empty((0, 2))
    way = np.sign(signed_area(window))
    if way == 0:
        return empty
    left = subject
    for start, end in zip(window, np.roll(window, -1, axis=0), strict=True):
        left = _clip_by_line(left, start, end, way)
        if len(left) < 3:
            return empty
    left = left[np.any(left != np.roll(left, 1, axis=0), axis=1)]
    smallest = 1e-14 * min(abs(signed_area(subject)), abs(signed_area(window)))
    return left if len(left) >= 3 and abs(signed_area(left)) > smallest else empty


def _clip_by_line(polygon: Vertices, start: Vertices, end: Vertices, way: float) -> Vertices:
    """Keep what lies on the inner side of the line through two points."""
    (x0, y0), (dx, dy) = start, end - start
    side = way * (dx * (polygon[:, 1] - y0) - dy * (polygon[:, 0] - x0))
    kept: list[Vertices] = []
    for i, here in enumerate(polygon):
        before, now = side[i - 1], side[i]
        if (before < 0 < now) or (now < 0 < before):
            kept.append(polygon[i - 1] + (here - polygon[i - 1]) * (before / (before - now)))
        if now >= 0:
            kept.append(here)
    return np.array(kept).reshape(-1, 2)


def contains(vertices: Vertices, points: Vertices) -> NDArray[np.bool_]:
    """Tell which points (m, 2) lie strictly inside a polygon; a point on its boundary does not."""
    if len(vertices) < 3:
        return np.zeros(len(points), bool)
    inside, on_edge = np.zeros(len(points), bool), np.zeros(len(points), bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        crosses = (y0 <= y) != (y1 <= y)
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length == 0:
            continue
        across = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length
        on_edge |= (np.abs(across) <= _ON_EDGE) & (along >= -_ON_EDGE) & (along <= length + _ON_EDGE)
        inside ^= crosses & ((across < 0) == (y1 > y0))
    return inside & ~on_edge


def runs_outside(vertices: Vertices, shape: tuple[int, int]) -> Runs:
    """List the pixels of an image whose centres do not lie strictly inside a polygon, as runs.

    Parameters
    ----------
    vertices
        In array indices: the centre of pixel ``[y, x]`` is (x, y). No vertices: everything is outside.
    shape
        (ny, nx).

    Returns
    -------
    ndarray of int64
        (n, 3): row, first column, column after the last; rows upward, columns left to right.
    """
    ny, nx = shape
    inside = _runs_inside(vertices, shape)
    # Outside is what lies between one run's end (or the row's begin) and the next one's first (or the row's end).
    rows = np.arange(ny)
    begins = np.concatenate([np.stack([rows, np.zeros_like(rows)]), inside[:, [0, 2]].T], axis=1)
    ends = np.concatenate([inside[:, :2].T, np.stack([rows, np.full_like(rows, nx)])], axis=1)
    begins = begins[:, np.lexsort(begins[::-1])]
    ends = ends[:, np.lexsort(ends[::-1])]
    runs = np.stack([begins[0], begins[1], ends[1]], axis=1)
    return runs[runs[:, 1] < runs[:, 2]]


def _runs_inside(vertices: Vertices, shape: tuple[int, int]) -> Runs:
    """List the pixels whose centres lie strictly inside, as runs that do not touch pixels on the boundary."""
    ny, nx = shape
    rows, crossings = _crossings(vertices, ny)
    pairs = np.stack([crossings[::2], crossings[1::2]], axis=1) if rows.size else np.empty((0, 2))
    first = np.floor(pairs[:, 0] + _ON_EDGE).astype(np.int64) + 1
    after = np.ceil(pairs[:, 1] - _ON_EDGE).astype(np.int64)
    runs = np.stack([rows[::2], np.clip(first, 0, nx), np.clip(after, 0, nx)], axis=1)
    return _without_level_edges(runs[runs[:, 1] < runs[:, 2]], vertices)


def _crossings(vertices: Vertices, ny: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where the edges cross the rows of pixel centres: rows and columns, sorted; an even number a row."""
    rows, columns = [np.empty(0, np.int64)], [np.empty(0)]
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        crossed = np.arange(max(int(np.ceil(low)), 0), min(int(np.ceil(high)), ny))  # low <= y < high
        rows.append(crossed)
        columns.append(x0 + (crossed - y0) * (x1 - x0) / (y1 - y0) if crossed.size else np.empty(0))
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    return row[order], column[order]


def _without_level_edges(runs: Runs, vertices: Vertices) -> Runs:
    """Take out the pixels that lie on a level edge, or on a vertex; edges across the rows are out already."""
    following = np.roll(vertices, -1, axis=0)
    nearest = np.rint(vertices[:, 1])
    level = (np.abs(vertices[:, 1] - nearest) <= _ON_EDGE) & (np.abs(following[:, 1] - nearest) <= _ON_EDGE)
    peaks = np.abs(vertices - np.rint(vertices)).max(axis=1, initial=0) <= _ON_EDGE
    cuts = [
        (int(y), int(np.ceil(min(x0, x1) - _ON_EDGE)), int(np.floor(max(x0, x1) + _ON_EDGE)) + 1)
        for (x0, _), (x1, _), y in zip(vertices[level], following[level], nearest[level], strict=True)
    ]
    cuts += [(int(np.rint(y)), int(np.rint(x)), int(np.rint(x)) + 1) for x, y in vertices[peaks]]
    for row, first, after in cuts:
        here = (runs[:, 0] == row) & (runs[:, 1] < after) & (runs[:, 2] > first)
        before, behind = runs[here].copy(), runs[here].copy()
        before[:, 2] = np.minimum(before[:, 2], first)
        behind[:, 1] = np.maximum(behind[:, 1], after)
        runs = np.concatenate([runs[~here], before, behind])
        runs = runs[runs[:, 1] < runs[:, 2]]
    return runs
