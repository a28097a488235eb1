"""Before, after, and what was taken away, as one small picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from astropy.visualization import ZScaleInterval

mpl.use("Agg")
from demonstration import Demonstration
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

PANEL_PX = 128


def draw(demonstration: Demonstration, path: Path) -> None:
    """Draw up to three panels; bits the step set are red."""
    before, after = shrunk(demonstration.before.image), shrunk(demonstration.after.image)
    panels: list[tuple[str, Any]] = [("before", before), ("after", after)]
    if demonstration.same_pixels and demonstration.changed()[0]:
        panels.append(("before - after", before - after))
    figure, axes = plt.subplots(1, len(panels), figsize=(2.6 * len(panels), 2.85), layout="constrained")
    for axis, (title, image) in zip(np.atleast_1d(axes), panels, strict=True):
        low, high = limits(image)
        axis.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    overlay(np.atleast_1d(axes)[1], demonstration)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # A palette of 48 colours keeps the pictures small enough to be kept beside the text.
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(48).save(path, optimize=True)
    plt.close(figure)


def overlay(axis: Any, demonstration: Demonstration) -> None:
    """Paint the bits the step set over the panel after it."""
    bits = demonstration.newly_masked()
    if bits is None:
        return
    new = shrunk((bits != 0).astype(np.float32)) > 0
    if new.any():
        paint = np.zeros((*new.shape, 4), np.float32)
        paint[new] = (0.85, 0.1, 0.1, 1)
        axis.imshow(paint, origin="lower", interpolation="nearest")


def shrunk(image: np.ndarray) -> np.ndarray:
    """Average blocks so that the picture has about PANEL_PX columns."""
    factor = max(1, round(image.shape[1] / PANEL_PX))
    ny, nx = (size // factor for size in image.shape)
    blocks = image[: ny * factor, : nx * factor].astype(np.float64).reshape(ny, factor, nx, factor)
    return np.asarray(blocks.mean(axis=(1, 3)))


def limits(image: np.ndarray) -> tuple[float, float]:
    """Choose the grey scale; a picture of one value is grey."""
    finite = image[np.isfinite(image)]
    low, high = ZScaleInterval().get_limits(finite) if finite.size else (0.0, 1.0)
    return (float(low), float(high)) if high > low else (float(low) - 1, float(high) + 1)
