"""Work on whole planes by bands of rows, in threads: what several numpy operations pass on stays in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32
from isrflow.kernels.threads import map_in_threads

R = TypeVar("R")

BAND = 32
"""Rows worked on at a time: with those around them they stay in the second cache."""


def over_bands(work: Callable[[int, int], R], first: int, end: int, *, height: int = BAND) -> list[R]:
    """Call a function for the first row and the end of each of the bands into which rows are cut, in threads."""
    starts = range(first, end, height)
    return map_in_threads(lambda y: work(y, min(y + height, end)), starts)


def copied(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous copy of a plane."""
    copy = np.empty(plane.shape, plane.dtype)
    over_bands(lambda first, end: np.copyto(copy[first:end], plane[first:end]), 0, len(plane))
    return copy


def add_change(image: Float32, before: Float32, after: Float32) -> None:
    """Add ``after - before`` to an image, in place; `before` is left with the difference."""

    def work(first: int, end: int) -> None:
        change = np.subtract(after[first:end], before[first:end], out=before[first:end])
        np.add(image[first:end], change, out=image[first:end])

    over_bands(work, 0, len(image))


def add_to(image: Float32, correction: NDArray[Any]) -> None:
    """Add a correction, float32 or float64, to an image in place; what is not a number stays so."""

    def work(first: int, end: int) -> None:
        np.add(image[first:end], correction[first:end], out=image[first:end], casting="same_kind")

    over_bands(work, 0, len(image))
