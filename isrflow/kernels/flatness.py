"""Level and flatness of a background: statistics of all its pixels, and of the cells of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.level import LevelRule
from isrflow.kernels.statistics import describe


@dataclass(frozen=True, slots=True)
class Mesh:
    """Cells of about `x` by `y` pixels, beginning every `x` (`y`) pixels; an odd size makes them one pixel smaller."""

    x: int = 256
    y: int = 256

    def starts(self, size: int, step: int) -> range:
        """Return where the cells along one axis begin: as many as fit, and one more if half of it fits."""
        return range(0, (size + step // 2) // step * step, step)

    def cells(self, shape: tuple[int, ...]) -> NDArray[np.object_]:
        """Return the cells as pairs of slices, (rows, columns); those at the far sides end with the image."""
        ny, nx = shape
        width, height = self.x // 2 * 2, self.y // 2 * 2
        rows = [slice(y, min(y + height, ny)) for y in self.starts(ny, self.y)]
        columns = [slice(x, min(x + width, nx)) for x in self.starts(nx, self.x)]
        cells = np.empty((len(rows), len(columns)), object)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                cells[i, j] = (row, column)
        return cells


@dataclass(frozen=True, slots=True)
class Flatness:
    """What `measure_flatness` found; NaN where no pixel is usable."""

    level: float
    """Median of all usable pixels."""
    sigma: float
    """Their standard deviation after clipping."""
    cells: NDArray[np.float64]
    """(rows, columns): mean of each cell."""

    @property
    def departures(self) -> NDArray[np.float64]:
        """The cells relative to their median, less one; those without a value left out."""
        known = self.cells[np.isfinite(self.cells)]
        return np.asarray((known - np.median(known)) / np.median(known)) if known.size else known

    @property
    def rms(self) -> float:
        """Standard deviation of the relative departures."""
        return float(self.departures.std()) if self.departures.size else float("nan")

    @property
    def peak_to_peak(self) -> float:
        """Range of the relative departures."""
        return float(np.ptp(self.departures)) if self.departures.size else float("nan")


def measure_flatness(
    image: NDArray[np.float32],
    excluded: NDArray[np.bool_],
    mesh: Mesh,
    *,
    clipped: bool = True,
    n_sigma: float = 3.0,
    n_iterations: int = 3,
) -> Flatness:
    """Measure how bright a background is and how its level varies over the picture.

    Parameters
    ----------
    image
        (ny, nx). Never modified.
    excluded
        (ny, nx): pixels that take no part, as those that are not finite.
    mesh
        The cells.
    clipped
        Whether cells are averaged after clipping.
    n_sigma, n_iterations
        Clipping width in standard deviations, and number of passes.
    """
    whole = describe(image, exclude=excluded, n_sigma=n_sigma, n_iterations=n_iterations)
    rule = LevelRule("MEANCLIP" if clipped else "MEAN", n_sigma, n_iterations)
    cells = mesh.cells(image.shape)
    means = np.full(cells.shape, np.nan)
    for place, cell in np.ndenumerate(cells):
        means[place] = rule.of(image[cell], excluded[cell])
    return Flatness(whole.median, whole.clipped.stdev, means)
