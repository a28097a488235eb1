"""Polygons in pixel coordinates: the part of a detector that light reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.kernels import polygons


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Polygon:
    """A simple polygon; its boundary does not belong to it.

    Parameters
    ----------
    vertices
        (n, 2) float64, x then y in the exposure's coordinates: pixel ``[y, x]`` has its centre at (x, y) + `xy0` and
        reaches half a pixel to all sides. Not closed: the last vertex is joined to the first. No vertices: an empty
        polygon, which nothing lies in.

    Raises
    ------
    GeometryError
        If these are not such vertices, or one or two.
    """

    vertices: NDArray[np.float64]

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, np.float64)
        if vertices.size == 0:
            vertices = np.empty((0, 2))
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) in (1, 2) or not np.isfinite(vertices).all():
            raise GeometryError(
                f"a polygon has three or more vertices (x, y) of finite numbers, not an array {vertices.shape}"
            )
        while len(vertices) > 3 and np.array_equal(vertices[0], vertices[-1]):
            vertices = vertices[:-1]  # the reference states the first vertex again at the end
        vertices.flags.writeable = False
        object.__setattr__(self, "vertices", vertices)

    @classmethod
    def empty(cls) -> Self:
        """Return the polygon that nothing lies in."""
        return cls(np.empty((0, 2)))

    @classmethod
    def of_box(cls, box: Box) -> Self:
        """Return the outline of whole pixels, clockwise from the lower left."""
        x0, y0, x1, y1 = box.x0 - 0.5, box.y0 - 0.5, box.x1 - 0.5, box.y1 - 0.5
        return cls(np.array([[x0, y0], [x0, y1], [x1, y1], [x1, y0]]))

    @classmethod
    def circle(cls, x: float, y: float, radius: float, n_vertices: int) -> Self:
        """Return a regular polygon with its vertices on a circle, clockwise; one of them lies at the far right."""
        theta = np.linspace(0, 2 * np.pi, n_vertices, endpoint=False)[::-1]
        return cls(np.stack([x + radius * np.cos(theta), y + radius * np.sin(theta)], axis=1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polygon) and np.array_equal(self.vertices, other.vertices)

    __hash__ = None  # type: ignore[assignment] # arrays have none

    def __repr__(self) -> str:
        return f"<Polygon of {len(self.vertices)} vertices, area {self.area:g}>"

    @property
    def area(self) -> float:
        """The area in square pixels."""
        return abs(polygons.signed_area(self.vertices))

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies in it."""
        return len(self.vertices) == 0

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points (..., 2) lie strictly inside."""
        array = np.asarray(points, np.float64)
        return polygons.contains(self.vertices, array.reshape(-1, 2)).reshape(array.shape[:-1])

    def intersect(self, other: Polygon) -> Polygon:
        """Return what two convex polygons have in common, the way round this one goes; it may be empty.

        Raises
        ------
        GeometryError
            If one of them is not convex.
        """
        for polygon in (self, other):
            if not polygons.is_convex(polygon.vertices):
                raise GeometryError(f"{polygon!r} is not convex, only convex polygons can be cut")
        return Polygon(polygons.clip_convex(self.vertices, other.vertices))

    def moved(self, *, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Polygon:
        """Return the polygon with every vertex at ``scale * vertex + shift``."""
        return Polygon(self.vertices * scale + np.asarray(shift))

    def runs_outside(self, box: Box) -> NDArray[np.int64]:
        """List the pixels of a box whose centres do not lie strictly inside.

        Returns
        -------
        ndarray of int64
            (n, 3): row, first column, column after the last, counted from the lower left of the box.
        """
        return polygons.runs_outside(self.vertices - (box.x0, box.y0), box.shape)
