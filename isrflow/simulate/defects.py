"""Where a simulated detector is broken: hot pixels, dead pixels, dead columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.noise import stream


@dataclass(frozen=True, slots=True)
class Blemishes:
    """The broken pixels of a detector, in assembled coordinates."""

    hot: NDArray[np.intp]
    """(n, 2): rows and columns."""
    hot_electron_s: NDArray[np.float32]
    """(n,): what each adds to the dark current."""
    dead: NDArray[np.intp]
    """(n, 2): rows and columns."""
    columns: tuple[Box, ...]
    """Dead parts of columns, one pixel wide."""

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All of them as boxes."""
        points = [Box(int(x), int(y), 1, 1) for y, x in (*self.hot, *self.dead)]
        return (*points, *self.columns)


def make_blemishes(detector: Detector, flaws: Flaws, seed: int) -> Blemishes:
    """Draw the broken pixels of a detector; none of them twice."""
    rng = stream(seed, "blemishes", detector.id)
    area = detector.box.area
    n_hot, n_dead = (max(round(part * area), int(part > 0)) for part in (flaws.hot_fraction, flaws.dead_fraction))
    where = rng.choice(area, n_hot + n_dead, replace=False)
    points = np.stack(np.unravel_index(where, detector.box.shape), axis=1)
    low, high = np.log(flaws.hot_electron_s)
    rates = np.exp(rng.uniform(low, high, n_hot)).astype(np.float32)
    columns = tuple(_dead_column(detector, rng) for _ in range(flaws.bad_columns))
    return Blemishes(points[:n_hot], rates, points[n_hot:], columns)


def _dead_column(detector: Detector, rng: np.random.Generator) -> Box:
    """Draw a trap that lets no charge pass: dead from there to the side of the amplifier away from its output."""
    amp = detector.amplifiers[int(rng.integers(len(detector.amplifiers)))]
    x = int(rng.integers(amp.box.x0 + 1, amp.box.x1 - 1))
    y = int(rng.integers(amp.box.y0 + amp.box.height // 4, amp.box.y1 - amp.box.height // 4))
    if amp.readout_corner.startswith("U"):
        return Box.from_bounds(x, amp.box.y0, x + 1, y)
    return Box.from_bounds(x, y, x + 1, amp.box.y1)
