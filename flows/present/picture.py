"""An exposure as a picture: zscale, asinh, and the mask laid over it in colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.present.stretch import grey, limits, shrink, shrink_factor, shrink_mask
from isrflow.errors import NotAnExposureError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_planes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST_PX = 1200
COLOURS = {
    "SAT": "#e5484d",
    "BAD": "#30a46c",
    "NO_DATA": "#12a594",
    "EDGE": "#3e63dd",
    "CR": "#f76b15",
    "SUSPECT": "#ffb224",
    "CROSSTALK": "#8e4ec6",
    "UNMASKEDNAN": "#e93d82",
    "INTRP": "#00a2c7",
}
"""Planes worth seeing and their colours; where several are set, the first of this table is drawn."""
OPACITY = 0.6


def draw_exposure(exposure: Exposure, path: Path, *, title: str = "", overlay: bool = True) -> None:
    """Draw the image with its mask laid over it, as PNG.

    Parameters
    ----------
    exposure
        Raw or corrected; not modified.
    path
        Where the picture goes; overwritten.
    title
        Above the picture.
    overlay
        Whether masked pixels are coloured.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    factor = shrink_factor(exposure.image.shape, LARGEST_PX)
    small = shrink(exposure.image, factor)
    low, high = limits(small)
    ny, nx = small.shape
    width = 8.0
    figure = Figure(figsize=(width, max(3.0, (width - 1.2) * ny / nx + 1.2)), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    extent = _extent(exposure, factor, small.shape)
    axes.imshow(grey(small, low, high), cmap="gray", vmin=0, vmax=1, origin="lower", extent=extent)
    if overlay and exposure.mask is not None:
        _overlay(axes, exposure.mask, factor, extent)
    axes.set_title(title or exposure.label, fontsize=10, loc="left")
    axes.set_xlabel(f"x (px)      {low:.6g} to {high:.6g} {exposure.unit}, asinh", fontsize=8)
    axes.set_ylabel("y (px)", fontsize=8)
    axes.tick_params(labelsize=7)
    FigureCanvasAgg(figure)
    figure.savefig(path)


def exposure_of(value: object, name: str) -> Exposure:
    """Return the exposure in a dataset's value: itself, or that of a calibration that is an image.

    Raises
    ------
    NotAnExposureError
        If there is no image in it.
    """
    inner = getattr(value, "exposure", value)
    if isinstance(inner, Exposure):
        return inner
    raise NotAnExposureError(f"{name} holds no image but {type(value).__name__}", fix="isrflow get copies the file out")


def _extent(exposure: Exposure, factor: int, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    x0, y0 = exposure.xy0
    return (x0 - 0.5, x0 + shape[1] * factor - 0.5, y0 - 0.5, y0 + shape[0] * factor - 0.5)


def _overlay(axes: Axes, mask: NDArray[np.int32], factor: int, extent: tuple[float, float, float, float]) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    small = shrink_mask(mask, factor)
    colours = np.zeros((*small.shape, 4), np.float32)
    bits, legend = mask_planes(), []
    for plane, colour in COLOURS.items():
        value = 1 << bits[plane] if plane in bits else 0
        count = int(np.count_nonzero(mask & value))
        if count == 0:
            continue
        free = ((small & value) != 0) & (colours[..., 3] == 0)
        colours[free] = (*to_rgb(colour), OPACITY)
        legend.append(Patch(color=colour, label=f"{plane} {count} px ({100 * count / mask.size:.2g} %)"))
    axes.imshow(colours, origin="lower", extent=extent, interpolation="nearest")
    if legend:
        axes.legend(handles=legend, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.08), ncols=4, frameon=False)
