"""Mark pixels near the edges, where the electric field distorts the picture."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane
from isrflow.kernels import masks
from isrflow.steps.step import StepConfig


class EdgesConfig(StepConfig):
    """Which pixels count as near an edge."""

    enabled: bool = False
    """Whether the step is run."""
    width_px: int = Field(0, ge=0)
    """Pixels from the edge inwards; 0 marks nothing."""
    plane: str = "SUSPECT"
    """Mask plane that is set."""
    level: Literal["DETECTOR", "AMP"] = "DETECTOR"
    """Edges of the image, or of every amplifier."""


def mask_edges(exposure: Exposure, config: EdgesConfig) -> None:
    """Mark the pixels within some distance of the edges of the image or of each amplifier, in place.

    An edge wider than half the image marks all of it.

    Raises
    ------
    GeometryError
        If amplifier edges are asked of an exposure without a detector.

    Notes
    -----
    No pixel changes its value; the plane is set where the distance to the edge is less than the width in pixels.
    """
    bits = add_mask_plane(config.plane)
    if config.level == "DETECTOR":
        masks.mask_edges(exposure.planes()[1], config.width_px, bits)
        return
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so its amplifiers have no edges")
    for amp in exposure.detector.amplifiers:
        masks.mask_edges(exposure.amp(amp).planes()[1], config.width_px, bits)
