"""The photometric zero point: how much light one count stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AB_FLUX_NJY = 3.6307805477010024e12
"""Flux density of AB magnitude zero."""
ZERO_POINT_CARDS = ("FLUXMAG0", "FLUXMAG0ERR")


@dataclass(frozen=True, slots=True)
class ZeroPoint:
    """Counts that a source of AB magnitude zero gives in the exposure, in the exposure's unit."""

    counts_at_mag0: float
    error: float = 0.0
    """Standard error of these counts."""

    @property
    def njy_per_count(self) -> float:
        """Flux density of one count."""
        return AB_FLUX_NJY / self.counts_at_mag0

    @property
    def magnitude(self) -> float:
        """AB magnitude of one count."""
        return 2.5 * math.log10(self.counts_at_mag0)


def zero_point_cards(zero_point: ZeroPoint | None) -> dict[str, float]:
    """Return the header cards of a zero point; none for None."""
    if zero_point is None:
        return {}
    return dict(zip(ZERO_POINT_CARDS, (zero_point.counts_at_mag0, zero_point.error), strict=True))


def zero_point_of(cards: Mapping[str, Any]) -> ZeroPoint | None:
    """Read a zero point from header cards; None if they state none."""
    counts, error = (cards.get(card) for card in ZERO_POINT_CARDS)
    if isinstance(counts, bool) or not isinstance(counts, (int, float)) or not counts > 0:
        return None
    return ZeroPoint(float(counts), float(error) if isinstance(error, (int, float)) else 0.0)
