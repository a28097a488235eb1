"""Values over exposures as inline SVG: a thin line an amplifier, the most restless ones named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from statistics import median

LINES = 48
"""Up to so many amplifiers have a trend line of their own; more are drawn as a band."""
NAMED = 3
WIDTH, HEIGHT = 640.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 96.0, 10.0, 26.0
LINE_HEIGHT = 13.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a trend: a value at each place along the axis, None where there is none."""

    name: str
    values: tuple[float | None, ...]

    @property
    def spread(self) -> float:
        """The largest distance from the line's own median."""
        known = [value for value in self.values if value is not None]
        middle = median(known) if known else 0.0
        return max((abs(value - middle) for value in known), default=0.0)

    @property
    def last(self) -> float | None:
        """The last known value."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Axes:
    """Places and values to the coordinates of the drawing."""

    count: int
    low: float
    high: float

    def x(self, index: int) -> float:
        """Return the abscissa of a place."""
        share = index / (self.count - 1) if self.count > 1 else 0.5
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def y(self, value: float) -> float:
        """Return the ordinate of a value."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - self.low) / (self.high - self.low))


def trend(series: Sequence[Series], labels: Sequence[str], digits: int, *, loud: Sequence[Series] | None = None) -> str:
    """Draw values over exposures; empty if nothing changes.

    Parameters
    ----------
    series
        A thin line each; the band of all of them, if they are many.
    labels
        Of the places along the axis; every one has the same distance from the next.
    digits
        Decimals of the scale.
    loud
        Lines drawn in colour and named; by default those of `series` that move most.
    """
    known = [value for item in series for value in item.values if value is not None]
    if not any(item.spread > 0 for item in series):
        return ""
    axes = Axes(len(labels), *_padded(min(known), max(known)))
    loud = sorted(series, key=lambda item: -item.spread)[:NAMED] if loud is None else loud
    parts = [f'<svg class="trend" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img">', *_scale(axes, labels, digits)]
    if len(series) > LINES:
        parts.append(_band(series, axes))
    else:
        parts += [_line(item, axes, "quiet") for item in series if item not in loud]
    parts += [_line(item, axes, f"loud{rank}") for rank, item in enumerate(loud)]
    parts += _names(loud, axes)
    return "".join([*parts, "</svg>"])


def _scale(axes: Axes, labels: Sequence[str], digits: int) -> list[str]:
    """Draw the grid and write the values and places along it."""
    parts = []
    for tick in _ticks(axes.low, axes.high):
        y = f"{axes.y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y}" text-anchor="end">{tick:.{digits}f}</text>')
    shown = range(0, len(labels), max(1, -(-len(labels) // 6)))
    places = [(axes.x(index), escape(labels[index])) for index in shown]
    return parts + [f'<text class="tick at" x="{x:.1f}" y="{HEIGHT - 8}">{label}</text>' for x, label in places]


def _line(item: Series, axes: Axes, css: str) -> str:
    points = [f"{axes.x(i):.1f} {axes.y(value):.1f}" for i, value in enumerate(item.values) if value is not None]
    if not points:
        return ""
    dots = "".join(
        f'<circle cx="{axes.x(index):.1f}" cy="{axes.y(value):.1f}" r="2">'
        f"<title>{escape(item.name)}: {value:.4g}</title></circle>"
        for index, value in enumerate(item.values)
        if value is not None
    )
    return f'<g class="{css}"><path d="M{"L".join(points)}"/>{dots}</g>'


def _band(series: Sequence[Series], axes: Axes) -> str:
    """Draw the median and the middle nine tenths of all lines."""
    lines: dict[float, list[str]] = {0.05: [], 0.5: [], 0.95: []}
    for index in range(axes.count):
        values = sorted(value for item in series if (value := item.values[index]) is not None)
        for share, line in lines.items() if values else ():
            line.append(f"{axes.x(index):.1f},{axes.y(values[round(share * (len(values) - 1))]):.1f}")
    outline = " ".join([*lines[0.95], *reversed(lines[0.05])])
    return f'<polygon class="band" points="{outline}"/><polyline class="middle" points="{" ".join(lines[0.5])}"/>'


def _names(loud: Sequence[Series], axes: Axes) -> list[str]:
    """Write the names of lines at their right ends, pushed apart where they would overlap."""
    ends = sorted((axes.y(item.last), rank, item.name) for rank, item in enumerate(loud) if item.last is not None)
    parts, lowest = [], TOP + 4
    for index, (wanted, rank, name) in enumerate(ends):
        room_below = HEIGHT - BOTTOM - LINE_HEIGHT * (len(ends) - 1 - index)
        y = min(max(wanted, lowest), room_below)
        parts.append(f'<text class="name loud{rank}" x="{WIDTH - RIGHT + 6}" y="{y:.1f}">{escape(name)}</text>')
        lowest = y + LINE_HEIGHT
    return parts


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.08 or max(abs(high) * 0.01, 0.5)
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return [index * step for index in range(ceil(low / step), floor(high / step) + 1)]
