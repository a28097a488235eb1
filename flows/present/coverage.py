"""Coverage as a picture: a panel for each type and filter, nights to the right, detectors upwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from registry.questions.coverage import STATES, Coverage, spell_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"certified": "#2a9d6f", "fallback": "#f2b134", "absent": "#c9ccd1", "missing": "#c4314b"}
"""Readable by the colour-blind, too: they differ in lightness, and what is missing bears a cross."""
_NAMES = {"absent": "not there, not required"}
_NOTHING = -1
_MOST_LABELS = 12
_MOST_CROSSES = 40


def draw_coverage(found: Coverage, path: Path, *, title: str = "") -> None:
    """Draw coverage as PNG.

    Parameters
    ----------
    found
        The answer.
    path
        Where the picture goes; overwritten.
    title
        Above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns, nights = found.columns, found.nights
    detectors = sorted({cell.detector for cell in found.cells if cell.detector is not None}) or [0]
    across = min(len(columns), 4)
    down = -(-len(columns) // across)
    width = min(4.0, max(1.9, 0.24 * len(nights) + 0.9))
    height = min(4.0, max(1.1, 0.16 * len(detectors) + 0.8))
    figure = Figure(figsize=(width * across + 0.4, height * down + 1.2), dpi=130, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for place, (axes, column) in enumerate(zip(panels, columns, strict=False)):
        _panel(axes, found, column, detectors)
        axes.tick_params(labelbottom=place + across >= len(columns))  # nights stand under the last panel of a column
    figure.supylabel("detector", fontsize=8)
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    there = [state for state in STATES if any(cell.state == state for cell in found.cells)]
    patches = [Patch(facecolor=COLOURS[state], label=_NAMES.get(state, state)) for state in there]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=8, frameon=False)
    figure.suptitle(title or f"calibrations in {', '.join(found.collections)}", fontsize=10, x=0.01, ha="left")
    FigureCanvasAgg(figure)
    figure.savefig(path)


def _panel(axes: Axes, found: Coverage, column: tuple[str, str | None], detectors: list[int]) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    nights = found.nights
    cells = [cell for cell in found.cells if (cell.type, cell.physical_filter) == column]
    whole = all(cell.detector is None for cell in cells)
    rows: list[int | None] = [None] if whole else list(detectors)
    grid = np.full((len(rows), len(nights)), _NOTHING)
    for cell in cells:
        grid[rows.index(cell.detector), nights.index(cell.night)] = STATES.index(cell.state)
    colours = ListedColormap(["#ffffff", *(COLOURS[state] for state in STATES)])
    norm = BoundaryNorm(np.arange(_NOTHING - 0.5, len(STATES)), colours.N)
    axes.pcolormesh(grid, cmap=colours, norm=norm, edgecolors="#ffffff", linewidth=0.6 if grid.size < 4000 else 0)
    y, x = np.nonzero(grid == STATES.index("missing"))
    if len(rows) <= _MOST_CROSSES:
        axes.plot(x + 0.5, y + 0.5, "x", color="#ffffff", markersize=3, markeredgewidth=0.8)
    axes.set_title(spell_column(*column), fontsize=8, loc="left")
    _label(axes, nights, rows)


def _label(axes: Axes, nights: tuple[int, ...], rows: list[int | None]) -> None:
    """Write some nights and detectors beside the axes."""
    step = -(-len(nights) // _MOST_LABELS)
    axes.set_xticks(
        np.arange(0, len(nights), step) + 0.5, [str(one) for one in nights[::step]], rotation=60, ha="right"
    )
    if rows == [None]:
        axes.set_yticks([0.5], ["all"])
    else:
        step = -(-len(rows) // _MOST_LABELS)
        axes.set_yticks(np.arange(0, len(rows), step) + 0.5, [str(one) for one in rows[::step]])
    axes.tick_params(labelsize=6, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
