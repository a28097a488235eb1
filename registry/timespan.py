"""Half-open spans of time, in whole nanoseconds of TAI."""

from __future__ import annotations

from dataclasses import dataclass

FOREVER_NS = 2**62
"""End of a span that has no end (year 2116); a number, not NULL, so that it compares."""
BEGINNING_NS = -(2**62)
"""Begin of a span that has no begin."""


@dataclass(frozen=True, slots=True, order=True)
class Timespan:
    """A span [begin, end) of TAI nanoseconds since 1970-01-01 TAI; never empty.

    Raises
    ------
    ValueError
        If the span would be empty or reach beyond the sentinels.
    """

    begin_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if not BEGINNING_NS <= self.begin_ns < self.end_ns <= FOREVER_NS:
            message = f"a timespan must begin before it ends, within the sentinels: [{self.begin_ns}, {self.end_ns})"
            raise ValueError(message)

    def contains(self, other: int | Timespan) -> bool:
        """Say whether an instant, or the whole of another span, lies inside."""
        if isinstance(other, Timespan):
            return self.begin_ns <= other.begin_ns and other.end_ns <= self.end_ns
        return self.begin_ns <= other < self.end_ns

    def overlaps(self, other: Timespan) -> bool:
        """Say whether the two share an instant; spans that only touch do not."""
        return self.begin_ns < other.end_ns and other.begin_ns < self.end_ns

    def intersection(self, other: Timespan) -> Timespan | None:
        """Return what both share, or None."""
        if not self.overlaps(other):
            return None
        return Timespan(max(self.begin_ns, other.begin_ns), min(self.end_ns, other.end_ns))

    def difference(self, other: Timespan) -> list[Timespan]:
        """Return what is left of this span without the other: no, one or two pieces, in order."""
        if not self.overlaps(other):
            return [self]
        before = [Timespan(self.begin_ns, other.begin_ns)] if self.begin_ns < other.begin_ns else []
        after = [Timespan(other.end_ns, self.end_ns)] if other.end_ns < self.end_ns else []
        return before + after

    def __str__(self) -> str:
        # Imported here: times.py speaks of spans, and only printing needs it in return.
        from registry.times import format_time

        return f"[{format_time(self.begin_ns)}, {format_time(self.end_ns)})"


ALL_TIME = Timespan(BEGINNING_NS, FOREVER_NS)
"""From the beginning for ever."""
