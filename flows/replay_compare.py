"""By how much two files of a dataset differ: which HDU, how many pixels, how far, which cards.

*Identical* is what `isrflow.frame.content` says: the same decoded pixels of every HDU and the same header, volatile
cards aside. This module is asked when that says no.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isrflow.frame.cards import is_volatile

SOFTWARE_CARDS = frozenset({"ISRFLOW VERSION"})
"""Cards of the software alone: that another version made a product is said, but does not make it another product."""
_MATCH = re.compile(r"ISRFLOW .+ MATCH")
_ONCE_UNSAID = ("valid", "always")
"""How calibrations were found before products said how; there was no other way then, so that silence means these."""
_FITS = (b"SIMPLE", b"\x1f\x8b")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one part of a file: an HDU, or the whole of a file that has none."""

    where: str
    n_pixels: int = 0
    """How many values differ; NaN equals NaN."""
    of_pixels: int = 0
    max_abs: float | None = None
    """The largest absolute difference of finite values."""
    cards: tuple[str, ...] = ()
    """Each card that differs, as ``KEY: value then, value now``."""
    other: str = ""
    """Differences that can only be said in words: another shape, say."""

    def __str__(self) -> str:
        words = [self.other] if self.other else []
        if self.n_pixels:
            far = "" if self.max_abs is None else f", by up to {self.max_abs:.6g}"
            words.append(f"{self.n_pixels} of {self.of_pixels} values differ{far}")
        shown = ", ".join(self.cards[:_SHOWN])
        more = f" and {len(self.cards) - _SHOWN} more" if len(self.cards) > _SHOWN else ""
        words += [f"cards differ: {shown}{more}"] if self.cards else []
        return f"{self.where}: {'; '.join(words)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def compare_files(expected: Path, made: Path) -> list[Difference]:
    """Return what differs between two files; empty if they are identical but for volatile and software cards.

    Raises
    ------
    OSError, ValueError
        If one of them cannot be read.
    """
    with expected.open("rb") as file:
        is_fits = file.read(6).startswith(_FITS)
    if is_fits:
        return _compare_fits(expected, made)
    if expected.suffix == ".json":
        return _compare_json(json.loads(expected.read_text("utf-8")), json.loads(made.read_text("utf-8")))
    if expected.suffix == ".png":
        from isrflow.quantum.png import read_png

        difference = _compare_arrays("picture", read_png(expected), read_png(made))
        return [] if difference is None else [difference]
    same = expected.read_bytes() == made.read_bytes()
    return [] if same else [Difference("file", other="the bytes differ")]


def _compare_fits(expected: Path, made: Path) -> list[Difference]:
    from astropy.io import fits

    with fits.open(expected, memmap=False) as before, fits.open(made, memmap=False) as now:
        names = [[_name(number, hdu) for number, hdu in enumerate(hdus)] for hdus in (before, now)]
        if names[0] != names[1]:
            return [Difference("file", other=f"HDUs were {', '.join(names[0])}, and are {', '.join(names[1])}")]
        found = [_compare_hdus(name, *pair) for name, pair in zip(names[0], zip(before, now, strict=True), strict=True)]
    return [difference for difference in found if difference is not None]


def _name(number: int, hdu: Any) -> str:
    return "PRIMARY" if number == 0 else hdu.name or f"HDU {number}"


def _compare_hdus(name: str, before: Any, now: Any) -> Difference | None:
    cards = tuple(_compare_cards(_cards(before), _cards(now)))
    pixels = None
    if before.data is not None or now.data is not None:
        pixels = _compare_arrays(name, before.data, now.data)
    if pixels is None:
        return Difference(name, cards=cards) if cards else None
    return Difference(name, pixels.n_pixels, pixels.of_pixels, pixels.max_abs, cards, pixels.other)


def _cards(hdu: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for card in hdu.header.cards:
        if card.keyword and not is_volatile(card.keyword) and card.keyword not in SOFTWARE_CARDS:
            found.setdefault(card.keyword, []).append(card.value)
    return found


def _compare_cards(before: Mapping[str, list[Any]], now: Mapping[str, list[Any]]) -> Iterator[str]:
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key, []), now.get(key, [])
        unsaid = not old and _MATCH.fullmatch(key) and all(value in _ONCE_UNSAID for value in new)
        if unsaid or list(map(str, old)) == list(map(str, new)):
            continue
        lines = zip([*old, *[None] * len(new)], [*new, *[None] * len(old)], strict=False)
        first = next(pair for pair in lines if str(pair[0]) != str(pair[1]))
        yield f"{key}: {_told(first[0])} then, {_told(first[1])} now"


def _told(value: object) -> str:
    return "absent" if value is None else repr(value)


def _compare_arrays(where: str, before: Any, now: Any) -> Difference | None:
    if before is None or now is None:
        return Difference(where, other="one has no data")
    before, now = np.asarray(before), np.asarray(now)
    if before.shape != now.shape or before.dtype.newbyteorder("=") != now.dtype.newbyteorder("="):
        told = [f"{array.dtype.newbyteorder('=')} {array.shape}" for array in (before, now)]
        return Difference(where, other=f"was {told[0]}, is {told[1]}")
    if before.dtype.names is not None:
        return _compare_tables(where, before, now)
    if before.dtype.kind not in "fiub":
        n_unequal = int(np.count_nonzero(before != now))
        return Difference(where, n_unequal, before.size) if n_unequal else None
    unequal = before != now
    if before.dtype.kind == "f":
        unequal &= ~(np.isnan(before) & np.isnan(now))
    n_unequal = int(np.count_nonzero(unequal))
    if not n_unequal:
        return None
    far = np.abs(before[unequal].astype(np.float64) - now[unequal].astype(np.float64))
    far = far[np.isfinite(far)]
    return Difference(where, n_unequal, before.size, float(far.max()) if far.size else None)


def _compare_tables(where: str, before: Any, now: Any) -> Difference | None:
    differing = [
        name
        for name in before.dtype.names
        if any(
            not np.array_equal(np.asarray(old), np.asarray(new), equal_nan=np.asarray(old).dtype.kind == "f")
            for old, new in zip(before[name], now[name], strict=True)
        )
    ]
    return Difference(where, other=f"columns differ: {', '.join(differing)}") if differing else None


def _compare_json(before: Any, now: Any) -> list[Difference]:
    old, new = _leaves(before), _leaves(now)
    differing = [key for key in dict.fromkeys([*old, *new]) if old.get(key, ...) != new.get(key, ...)]
    if not differing:
        return []
    cards = tuple(f"{key}: {_told(old.get(key))} then, {_told(new.get(key))} now" for key in differing)
    far = [
        abs(old[key] - new[key])
        for key in differing
        if isinstance(old.get(key), (int, float)) and isinstance(new.get(key), (int, float))
    ]
    return [Difference("values", len(differing), len({*old, *new}), max(far, default=None), cards)]


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        items = [(f"{prefix}.{key}" if prefix else str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{prefix}[{number}]", item) for number, item in enumerate(value)]
    else:
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, item in items:
        found |= _leaves(item, key)
    return found
