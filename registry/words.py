"""How messages speak of numbers: counted things, sizes, computing times."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: "1 night", "3 nights"."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def spell_bytes(number: int) -> str:
    """Write a size in the largest unit that leaves a number above one: "8.2 MB"; powers of a thousand."""
    size, units = float(number), ["B", "kB", "MB", "GB", "TB", "PB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{number} B" if units[0] == "B" else f"{size:.3g} {units[0]}"


def spell_cpu(seconds: float) -> str:
    """Write a computing time: "0.4 s", "3.2 min", "1.5 h"."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
