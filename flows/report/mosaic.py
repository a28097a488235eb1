"""Focal-plane mosaics: every detector in its place, raw beside corrected, one stretch a side."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from flows.present.stretch import grey, limits, shrink, shrink_factor
from flows.report.layout import FocalPlane
from isrflow.frame.exposure import Exposure

Picture = NDArray[np.float32]
NARROW = 0.03
"""The stretch begins at least so far below the middle, as a fraction of it."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A drawn focal plane and the levels of its stretch."""

    svg: str
    low: float
    high: float


def assembled_raw(raw: Exposure) -> Picture:
    """Put the light-sensitive pixels of a raw mosaic in their places and leave everything else as it was read."""
    assert raw.detector is not None
    whole = np.full(raw.detector.box.shape, np.nan, np.float32)
    for amp in raw.detector.amplifiers:
        pixels = raw.amp(amp, "data").image
        pixels = pixels[:, ::-1] if amp.raw_flip_x else pixels
        pixels = pixels[::-1] if amp.raw_flip_y else pixels
        whole[amp.box.slices()] = pixels
    return whole


def shrunk(image: NDArray[np.floating], largest_px: int) -> Picture:
    """Return a picture no side of which is longer than `largest_px`."""
    return shrink(image, shrink_factor(image.shape, largest_px))


def draw_mosaic(plane: FocalPlane, pictures: Mapping[int, Picture], *, named: bool = True) -> Mosaic:
    """Draw detectors in their places in the focal plane.

    Parameters
    ----------
    pictures
        By detector id; detectors without one are left as outlines.
    named
        Whether detectors carry their names.
    """
    low, high = common_limits(pictures.values())
    left, bottom, width, height = plane.bounds
    unit = max(width, height) / 100
    view = f"{left - unit:g} {-(bottom + height) - unit:g} {width + 2 * unit:g} {height + 2 * unit:g}"
    parts = [f'<svg class="mosaic" viewBox="{view}" role="img">']
    for place in plane.places:
        box = f'x="{-place.width_mm / 2:g}" y="{-place.height_mm / 2:g}" width="{place.width_mm:g}"'
        box += f' height="{place.height_mm:g}"'
        parts.append(f'<g transform="translate({place.x_mm:g} {-place.y_mm:g}) rotate({-place.rotation_deg:g})">')
        picture = pictures.get(place.detector.id)
        if picture is None:
            parts.append(f'<rect class="none" {box} stroke-width="{0.3 * unit:g}"/>')
        else:
            parts.append(f'<image {box} preserveAspectRatio="none" href="{png_uri(grey(picture, low, high))}"/>')
        if named:
            parts.append(_name(place.detector.name, -place.width_mm / 2, -place.height_mm / 2, unit))
        parts.append("</g>")
    return Mosaic("".join([*parts, "</svg>"]), low, high)


def common_limits(pictures: Iterable[Picture]) -> tuple[float, float]:
    """Return one stretch for all pictures of a side."""
    pixels = np.concatenate([np.zeros(0, np.float32), *(picture[np.isfinite(picture)] for picture in pictures)])
    low, high = limits(pixels)
    middle = float(np.median(pixels)) if pixels.size else 0.0
    # Averaged pixels hardly scatter; without a least width a per cent of the sky would look like a wall.
    return min(low, middle - NARROW * abs(middle)), max(high, middle + 10 * NARROW * abs(middle))


def png_uri(levels: Picture) -> str:
    """Return levels between 0 and 1 (first row at the bottom) as a grey PNG in a data URI; NaN is black."""
    from PIL import Image

    pixels = np.nan_to_num(levels * np.float32(255)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _name(text: str, left: float, top: float, unit: float) -> str:
    x, y = left + 1.2 * unit, top + 3.4 * unit
    size = f'font-size="{2.6 * unit:g}" stroke-width="{0.5 * unit:g}"'
    return f'<text class="label" x="{x:g}" y="{y:g}" {size}>{escape(text)}</text>'
