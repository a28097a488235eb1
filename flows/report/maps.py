"""The focal plane as inline SVG: sharp at any size, values under the pointer."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from flows.report.layout import FocalPlane, Place
from flows.report.scale import Scale

LARGEST = 0.055
"""Height of the figures at most, as a fraction of the width of the focal plane."""
LABELLED = 64
"""Up to so many amplifiers carry their value in figures."""


def amplifier_map(plane: FocalPlane, values: Mapping[tuple[int, str], float], scale: Scale, digits: int) -> str:
    """Draw the focal plane with each amplifier in the colour of its value.

    Parameters
    ----------
    values
        By detector id and amplifier name; amplifiers without one are hatched.
    digits
        Decimals of the figures.
    """
    left, bottom, width, height = plane.bounds
    unit = max(width, height) / 100
    labelled = sum(len(place.detector.amplifiers) for place in plane.places) <= LABELLED
    largest = width * LARGEST if labelled else None
    view = f"{left - unit:g} {-(bottom + height) - unit:g} {width + 2 * unit:g} {height + 2 * unit:g}"
    parts = [f'<svg class="map" viewBox="{view}" role="img">']
    for place in plane.places:
        parts.append(f'<g transform="translate({place.x_mm:g} {-place.y_mm:g}) rotate({-place.rotation_deg:g})">')
        parts += [
            _amplifier(place, amp.name, values, scale, digits, largest=largest) for amp in place.detector.amplifiers
        ]
        parts.append(
            f'<rect class="edge" x="{-place.width_mm / 2:g}" y="{-place.height_mm / 2:g}" width="{place.width_mm:g}" '
            f'height="{place.height_mm:g}" stroke-width="{unit * 0.35:g}"/></g>'
        )
    return "".join([*parts, "</svg>"])


def _amplifier(
    place: Place,
    name: str,
    values: Mapping[tuple[int, str], float],
    scale: Scale,
    digits: int,
    *,
    largest: float | None,
) -> str:
    x, y, width, height = place.amplifier_box(place.detector.amplifier(name))
    value = values.get((place.detector.id, name))
    top = -(y + height)
    shown = "no value" if value is None else f"{value:.{digits}f}"
    fill = 'class="none"' if value is None else f'fill="{scale.colour(value)}"'
    box = (
        f'<rect x="{x:g}" y="{top:g}" width="{width:g}" height="{height:g}" {fill}>'
        f"<title>{escape(place.detector.name)} {escape(name)}: {shown}</title></rect>"
    )
    if value is None or largest is None:
        return box
    size = min(width / 5.2, height * 0.3, largest)  # room for seven characters
    middle = f'x="{x + width / 2:g}" y="{top + height / 2:g}"'
    return f'{box}<text {middle} font-size="{size:g}" fill="{scale.ink(value)}">{shown}</text>'


def colour_bar(scale: Scale, unit: str, digits: int) -> str:
    """Draw the key to the colours of a map."""
    if scale.is_flat:
        return f'<div class="bar"><b>{scale.low:.{digits}f} {escape(unit)} everywhere</b></div>'
    stops = "".join(
        f'<span style="background:{scale.colour(scale.low + (scale.high - scale.low) * i / 23)}"></span>'
        for i in range(24)
    )
    low, high = f"{scale.low:.{digits}f}", f"{scale.high:.{digits}f}"
    return f'<div class="bar"><b>{low}</b><i>{stops}</i><b>{high} {escape(unit)}</b></div>'
