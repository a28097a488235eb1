"""Measure level and flatness of the background; nothing is subtracted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.flatness import Flatness, Mesh, measure_flatness
from isrflow.steps.step import ByProduct, StepConfig

log = logging.getLogger(__name__)


class BackgroundConfig(StepConfig):
    """The mesh on which flatness is judged, and what is left out."""

    enabled: bool = False
    """Whether the step is run."""
    mesh_x_px: int = Field(default=256, ge=2)
    """Width of the cells."""
    mesh_y_px: int = Field(default=256, ge=2)
    """Height of the cells."""
    clip: bool = True
    """Average cells after clipping."""
    clip_sigma: float = Field(default=3.0, gt=0)
    """Clipping width in standard deviations."""
    clip_iterations: int = Field(default=3, ge=1)
    """Passes of clipping."""
    ignored_planes: tuple[str, ...] = ("BAD", "SAT", "DETECTED")
    """Pixels on these planes are left out."""


@dataclass(frozen=True, slots=True)
class Background(ByProduct):
    """Level and flatness of the background, in the unit of the picture."""

    flatness: Flatness


def measure_background(exposure: Exposure, config: BackgroundConfig) -> Background:
    """Measure level and flatness of the background and note them in the header; pixels are untouched.

    Parameters
    ----------
    exposure
        Corrected, any shape.
    config
        Mesh and clipping.

    Returns
    -------
    Background
        Also written to the cards SKYLEVEL, SKYSIGMA and ``FLATNESS_...``.

    Raises
    ------
    MaskPlaneError
        If a plane does not exist.

    Notes
    -----
    SKYLEVEL and SKYSIGMA are median and clipped deviation of all usable pixels, in the unit of the picture. With ``c``
    the mean of a mesh cell and ``f = (c - median c) / median c``, FLATNESS_RMS is the standard deviation of ``f``,
    FLATNESS_PP its range.
    """
    image, mask, _ = exposure.planes()
    mesh = Mesh(config.mesh_x_px, config.mesh_y_px)
    found = measure_flatness(
        image,
        (mask & mask_bits(config.ignored_planes)) != 0,
        mesh,
        clipped=config.clip,
        n_sigma=config.clip_sigma,
        n_iterations=config.clip_iterations,
    )
    if found.departures.size == 0:
        log.warning("%s: no cell of the background has a usable pixel; its flatness is not known", exposure.label)
    exposure.header |= _cards(found, mesh)
    return Background(found)


def _cards(found: Flatness, mesh: Mesh) -> dict[str, Any]:
    rows, columns = found.cells.shape
    return {
        "SKYLEVEL": found.level,
        "SKYSIGMA": found.sigma,
        "FLATNESS_PP": found.peak_to_peak,
        "FLATNESS_RMS": found.rms,
        "FLATNESS_NGRIDS": f"{columns}x{rows}",
        "FLATNESS_MESHX": mesh.x,
        "FLATNESS_MESHY": mesh.y,
    }
