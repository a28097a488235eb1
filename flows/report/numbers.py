"""The numbers of every amplifier of every exposure, read off the headers of the products."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that each amplifier has in each exposure."""

    key: str
    title: str
    unit: str
    card: str
    """Header card, with the amplifier's name to follow."""
    says: str
    """What a reader sees in it."""
    digits: int = 2


QUANTITIES = (
    Quantity(
        "overscan",
        "Overscan level",
        "adu",
        "LSST ISR OVERSCAN SERIAL MEDIAN",
        "The electronic zero that was subtracted.",
        1,
    ),
    Quantity(
        "overscan_noise",
        "Noise of the overscan",
        "adu",
        "LSST ISR OVERSCAN RESIDUAL SERIAL STDEV",
        "Scatter left in the serial overscan once its level is gone.",
    ),
    Quantity("read_noise", "Read noise", "e⁻", "LSST ISR READNOISE", "As it went into the variance plane."),
    Quantity("gain", "Gain", "e⁻/adu", "LSST ISR GAIN", "As it was used.", 3),
    Quantity("level", "Sky level", "", "LSST ISR FINAL MEDIAN", "Median of the corrected amplifier.", 1),
    Quantity("scatter", "Sky scatter", "", "LSST ISR FINAL STDEV", "Clipped standard deviation, corrected."),
    Quantity("saturated", "Saturated pixels", "px", "LSST ISR MASK SAT", "With their bleed trails.", 0),
    Quantity("bad", "Bad pixels", "px", "LSST ISR MASK BAD", "Masked as defects.", 0),
)

Key = tuple[int, int, str]
"""Exposure, detector, amplifier."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Values by quantity, then by exposure, detector and amplifier; what a header lacks is absent."""

    values: Mapping[str, Mapping[Key, float]]
    unit: str
    """Of the corrected pixels."""

    def has(self, key: str) -> bool:
        """Whether any amplifier has this quantity."""
        return bool(self.values.get(key))

    def typical(self, key: str) -> dict[tuple[int, str], float]:
        """Return the median over the exposures, by detector and amplifier."""
        groups: dict[tuple[int, str], list[float]] = {}
        for (_, detector, amp), value in self.values.get(key, {}).items():
            groups.setdefault((detector, amp), []).append(value)
        return {place: median(values) for place, values in groups.items()}

    def drift(self, key: str) -> dict[Key, float]:
        """Return the values less the amplifier's median of the night."""
        typical = self.typical(key)
        return {item: value - typical[item[1:]] for item, value in self.values.get(key, {}).items()}

    def evenness(self, key: str) -> dict[tuple[int, str], float]:
        """Return each amplifier's excess over its exposure's median in per cent, as the median over the exposures."""
        exposures: dict[int, list[float]] = {}
        for (exposure, _, _), value in self.values.get(key, {}).items():
            exposures.setdefault(exposure, []).append(value)
        middle = {exposure: median(values) for exposure, values in exposures.items()}
        groups: dict[tuple[int, str], list[float]] = {}
        for (exposure, detector, amp), value in self.values.get(key, {}).items():
            if middle[exposure] != 0:
                groups.setdefault((detector, amp), []).append(100 * (value / middle[exposure] - 1))
        return {place: median(values) for place, values in groups.items()}


def read_numbers(products: Iterable[tuple[int, int, Path]], amplifiers: Mapping[int, Iterable[str]]) -> Numbers:
    """Read the headers of corrected exposures.

    Parameters
    ----------
    products
        Exposure, detector and file of each.
    amplifiers
        Detector to the names of its amplifiers.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    from astropy.io import fits

    from isrflow.frame.cards import parse_header

    values: dict[str, dict[Key, float]] = {quantity.key: {} for quantity in QUANTITIES}
    units = set()
    for exposure, detector, path in products:
        cards = parse_header(fits.getheader(path, 0))
        units.add(str(cards.get("BUNIT", cards.get("LSST ISR UNITS", "adu"))))
        for quantity in QUANTITIES:
            for amp in amplifiers[detector]:
                value = _number(cards.get(f"{quantity.card} {amp}"))
                if value is not None:
                    values[quantity.key][exposure, detector, amp] = value
    return Numbers(values, unit=" or ".join(sorted(units)) or "adu")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
