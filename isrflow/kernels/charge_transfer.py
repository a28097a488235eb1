"""The levels that show how much charge is left behind on the way out: of outer lines, and of what is read after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.level import LevelRule


@dataclass(frozen=True, slots=True)
class Lines:
    """Levels of the lines of an overscan, that beside the picture first."""

    index: tuple[int, ...]
    """Column or row within the overscan."""
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OuterLines:
    """Levels of the lines of a picture that are read first and last."""

    first_column: float
    last_column: float
    first_row: float
    last_row: float


def outer_lines(picture: NDArray[Any], rule: LevelRule, *, from_right: bool, from_top: bool) -> OuterLines:
    """Measure the outer lines of a picture, given the corner it is read from."""
    seen = picture[:: -1 if from_top else 1, :: -1 if from_right else 1]
    return OuterLines(rule.of(seen[:, 0]), rule.of(seen[:, -1]), rule.of(seen[0]), rule.of(seen[-1]))


def overscan_lines(overscan: NDArray[Any], rule: LevelRule, *, reverse: bool) -> Lines:
    """Measure each column of an overscan (pass the transpose for rows); `reverse` if the last is beside the picture."""
    index = np.arange(overscan.shape[1])[:: -1 if reverse else 1]
    return Lines(tuple(index.tolist()), tuple(rule.of(overscan[:, i]) for i in index))
