"""Find the part of the detector that the telescope lights, and mask the rest."""

from __future__ import annotations

import logging

from pydantic import Field

from isrflow.frame.exposure import Exposure
from isrflow.frame.focal_plane import to_focal_plane, to_pixels
from isrflow.frame.mask import add_mask_plane
from isrflow.frame.polygon import Polygon
from isrflow.frame.stage import assembled_detector
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class VignetteConfig(StepConfig):
    """The lit circle of the focal plane, and what is done with pixels outside it."""

    enabled: bool = False
    """Whether the step is run."""
    x_mm: float = 0.0
    """Centre of the lit circle in the focal plane, along x."""
    y_mm: float = 0.0
    """The same along y."""
    radius_mm: float = Field(100.0, ge=0)
    """Its radius."""
    n_vertices: int = Field(100, ge=3)
    """Corners of the polygon that stands for the circle; they lie on it."""
    mask: bool = True
    """Whether pixels outside are masked; else only the polygon is attached."""
    plane: str = "NO_DATA"
    """Mask plane that is set."""
    fill_value: float | None = None
    """What pixels outside become, if masked; none: they keep what they hold."""


def find_valid_polygon(exposure: Exposure, config: VignetteConfig) -> None:
    """Attach the outline of the lit part of the detector, and mask the pixels outside it, in place.

    Parameters
    ----------
    exposure
        Its `valid_polygon` becomes the outline of the detector cut by the circle, in pixels; an empty one if the
        detector lies wholly outside, and then all of it is masked.
    config
        Circle, mask plane, value.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is not assembled.

    Notes
    -----
    The circle is a polygon of ``n_vertices`` corners ``(x_mm, y_mm) + radius_mm (cos t, sin t)`` with
    ``t = 2 pi k / n_vertices``. A pixel is masked unless its centre lies strictly inside; millimetres and pixels.
    """
    detector = assembled_detector(exposure, "its place in the focal plane is not known")
    outline = Polygon.of_box(detector.box)
    in_focal_plane = Polygon(to_focal_plane(detector, outline.vertices))
    circle = Polygon.circle(config.x_mm, config.y_mm, config.radius_mm, config.n_vertices)
    lit = in_focal_plane.intersect(circle)
    exposure.valid_polygon = Polygon(to_pixels(detector, lit.vertices))
    if lit.is_empty:
        log.warning(
            "%s lies wholly outside the circle of radius %g mm around (%g, %g) mm%s",
            exposure.label,
            config.radius_mm,
            config.x_mm,
            config.y_mm,
            f": all of it becomes {config.plane}" if config.mask else "",
        )
    if config.mask:
        mask_outside(exposure, exposure.valid_polygon, plane=config.plane, fill_value=config.fill_value)


def mask_outside(
    exposure: Exposure, polygon: Polygon, *, plane: str = "NO_DATA", fill_value: float | None = None
) -> None:
    """Mask the pixels whose centres do not lie strictly inside a polygon, in place.

    Parameters
    ----------
    exposure
        Converted.
    polygon
        In the exposure's coordinates; need not be convex.
    plane
        Mask plane that is set.
    fill_value
        What the image becomes there; None leaves it.
    """
    image, mask, _ = exposure.planes()
    bits = add_mask_plane(plane)
    for row, first, after in polygon.runs_outside(exposure.box).tolist():
        mask[row, first:after] |= bits
        if fill_value is not None:
            image[row, first:after] = fill_value
