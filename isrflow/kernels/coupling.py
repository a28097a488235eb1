"""Which amplifiers couple, where they lie, and how strongly: what a crosstalk correction is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32

_Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AmplifierGrid:
    """Where the amplifiers are, in array coordinates.

    Parameters
    ----------
    sections
        The pixels (y slice, x slice) of each amplifier, all of one size.
    flips
        Whether the readout corner of each is (upper, right).
    """

    sections: Sequence[tuple[slice, slice]]
    flips: Sequence[tuple[bool, bool]]

    def __post_init__(self) -> None:
        shapes = {(y.stop - y.start, x.stop - x.start) for y, x in self.sections}
        if len(shapes) != 1 or len(self.sections) != len(self.flips):
            raise ValueError(f"crosstalk needs amplifiers of one size (ny, nx), got {sorted(shapes)}")

    def as_array(self) -> _Int64:
        """Return rows of (y0, x0, height, width, upper, right)."""
        return np.array(
            [
                (y.start, x.start, y.stop - y.start, x.stop - x.start, upper, right)
                for (y, x), (upper, right) in zip(self.sections, self.flips, strict=True)
            ],
            np.int64,
        )


@dataclass(frozen=True, slots=True)
class Coupling:
    """How strongly amplifiers couple; element [s, t] is what source `s` leaves in target `t`.

    Parameters
    ----------
    linear
        (n, n); pairs that are zero or not finite do not couple at all.
    quadratic
        (n, n) coefficients of the squared signal, or None.
    backgrounds
        (n,) levels to subtract from each source first, or None; a source whose level is not finite does not couple.
    """

    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64] | None = None
    backgrounds: NDArray[np.float64] | None = None

    def by_target(self) -> tuple[_Int64, Float32, Float32]:
        """List for each target the sources that count (-1 ends the list), and all factors.

        Returns
        -------
        tuple
            Sources (n, n + 1); factors (4, n, n) by [source, target]: linear and quadratic, then their squares for the
            variance; backgrounds (n,).
        """
        n = len(self.linear)
        backgrounds = np.zeros(n) if self.backgrounds is None else np.asarray(self.backgrounds, np.float64)
        known = np.isfinite(backgrounds)[:, np.newaxis]
        linear = np.where(np.isfinite(self.linear) & known, self.linear, 0.0)
        square = np.zeros((n, n)) if self.quadratic is None else np.asarray(self.quadratic, np.float64)
        square = np.where(np.isfinite(square) & (linear != 0), square, 0.0)
        sources = np.full((n, n + 1), -1, np.int64)
        for target in range(n):
            coupled = np.flatnonzero(linear[:, target])
            sources[target, : coupled.size] = coupled
        factors = np.array([linear, square, linear**2, square**2]).astype(np.float32)
        return sources, factors, backgrounds.astype(np.float32)
