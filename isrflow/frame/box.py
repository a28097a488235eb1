"""Rectangles of pixels, and the one place where FITS sections become them.

A box speaks x then y, counts from zero and is half-open: it holds columns ``x0 <= x < x1`` and rows ``y0 <= y < y1``.
Arrays are indexed (y, x).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from isrflow.errors import GeometryError

_SECTION = re.compile(r"^\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*$")


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle of pixels.

    Parameters
    ----------
    x0, y0
        Lower left pixel, zero-based.
    width, height
        Size in pixels; zero means empty.
    """

    x0: int
    y0: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0:
            raise GeometryError(f"box ({self.x0}, {self.y0}) has a negative size: {self.width} x {self.height} pixels")

    @classmethod
    def from_bounds(cls, x0: int, y0: int, x1: int, y1: int) -> Box:
        """Make the box of columns x0..x1-1 and rows y0..y1-1."""
        return cls(x0, y0, x1 - x0, y1 - y0)

    @classmethod
    def of_shape(cls, shape: Sequence[int]) -> Box:
        """Make the box of an array of shape (ny, nx) at the origin."""
        return cls(0, 0, int(shape[-1]), int(shape[-2]))

    @classmethod
    def parse(cls, section: str) -> Section:
        """Read a FITS section such as ``[1:512,2001:1]``, which may run backwards.

        Returns
        -------
        Section
            The box (zero-based, half-open) and whether x and y run backwards.

        Raises
        ------
        GeometryError
            If the text is not a section.
        """
        match = _SECTION.match(section)
        if match is None:
            raise GeometryError(
                f"{section!r} is not a FITS section",
                fix="write it as [x1:x2,y1:y2], counting from one, both ends included",
            )
        xa, xb, ya, yb = (int(group) for group in match.groups())
        box = cls.from_bounds(min(xa, xb) - 1, min(ya, yb) - 1, max(xa, xb), max(ya, yb))
        return Section(box, flip_x=xb < xa, flip_y=yb < ya)

    @property
    def x1(self) -> int:
        """First column to the right of the box."""
        return self.x0 + self.width

    @property
    def y1(self) -> int:
        """First row above the box."""
        return self.y0 + self.height

    @property
    def shape(self) -> tuple[int, int]:
        """Array shape (ny, nx)."""
        return (self.height, self.width)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no pixel."""
        return self.area == 0

    def slices(self, origin: tuple[int, int] = (0, 0)) -> tuple[slice, slice]:
        """Index an array whose first pixel is at `origin` (x, y); the result is in (y, x) order."""
        x, y = origin
        return slice(self.y0 - y, self.y1 - y), slice(self.x0 - x, self.x1 - x)

    def contains(self, other: Box) -> bool:
        """Whether every pixel of `other` is in this box (an empty box is in every box)."""
        inside = self.x0 <= other.x0 and other.x1 <= self.x1 and self.y0 <= other.y0 and other.y1 <= self.y1
        return other.is_empty or inside

    def overlaps(self, other: Box) -> bool:
        """Whether the two boxes share a pixel."""
        return not self.intersect(other).is_empty

    def intersect(self, other: Box) -> Box:
        """Return the shared pixels; a box of zero size if there are none."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        return Box(x0, y0, max(0, min(self.x1, other.x1) - x0), max(0, min(self.y1, other.y1) - y0))

    def union(self, other: Box) -> Box:
        """Return the smallest box holding both."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Box.from_bounds(
            min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1)
        )

    def shifted(self, dx: int, dy: int) -> Box:
        """Return the box moved by (dx, dy)."""
        return Box(self.x0 + dx, self.y0 + dy, self.width, self.height)

    def grown(self, margin: int) -> Box:
        """Return the box with `margin` pixels added on every side; a negative margin shrinks it, at most to nothing."""
        width, height = max(0, self.width + 2 * margin), max(0, self.height + 2 * margin)
        return Box(self.x0 - margin, self.y0 - margin, width, height)

    def section(self) -> str:
        """Write the box as a FITS section (one-based, both ends included)."""
        return f"[{self.x0 + 1}:{self.x1},{self.y0 + 1}:{self.y1}]"


@dataclass(frozen=True, slots=True)
class Section:
    """A FITS section: a box, and whether its axes run backwards."""

    box: Box
    flip_x: bool = False
    flip_y: bool = False
