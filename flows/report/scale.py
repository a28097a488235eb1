"""Values to colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Nine steps of a perceptually even ramp (dark blue to yellow), and of a diverging one (blue, grey, red).
EVEN = ("#30123b", "#3b2f80", "#3f5fae", "#3a86b7", "#3aa6a0", "#5cc07e", "#9bd45b", "#dbe04b", "#fbe67a")
DIVERGING = ("#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#eeeeee", "#fddbc7", "#f4a582", "#d6604d", "#b2182b")


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to colours."""

    low: float
    high: float
    ramp: tuple[str, ...]

    @classmethod
    def even(cls, values: Sequence[float]) -> Scale:
        """Return a scale from the smallest to the largest value."""
        return cls(min(values), max(values), EVEN)

    @classmethod
    def centred(cls, values: Sequence[float]) -> Scale:
        """Return a diverging scale with zero in its middle."""
        reach = max((abs(value) for value in values), default=0.0) or 1.0
        return cls(-reach, reach, DIVERGING)

    @property
    def is_flat(self) -> bool:
        """Whether there is but one value."""
        return self.high <= self.low

    def fraction(self, value: float) -> float:
        """Return where a value lies between low (0) and high (1)."""
        return 0.0 if self.is_flat else min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def colour(self, value: float) -> str:
        """Return the colour of a value as ``#rrggbb``."""
        place = self.fraction(value) * (len(self.ramp) - 1)
        index = min(int(place), len(self.ramp) - 2)
        pairs = zip(_rgb(self.ramp[index]), _rgb(self.ramp[index + 1]), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * (place - index)):02x}" for a, b in pairs)

    def ink(self, value: float) -> str:
        """Return black or white, whichever reads better on the value's colour."""
        red, green, blue = _rgb(self.colour(value))
        return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
