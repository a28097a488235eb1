"""Headers of raws put right: cards that are laid over what a file says, or taken away, before anything is read off it.

The file itself stays as the camera wrote it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from isrflow.errors import HeaderError
from isrflow.frame.cards import is_structural

CardValue = str | int | float | bool | None
"""What a card is to say; None takes it away."""

_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}|[A-Z0-9_-]+([ .][A-Z0-9_-]+)+")
_LONGEST = 68
"""Characters of a text in one card."""


def corrected(header: Mapping[str, Any], cards: Mapping[str, CardValue]) -> dict[str, Any]:
    """Return a header with cards laid over it; it is not changed itself."""
    changed = {**header, **cards}
    return {key: value for key, value in changed.items() if not (key in cards and value is None)}


def checked_keyword(keyword: str) -> str:
    """Return a keyword as headers spell it.

    Raises
    ------
    HeaderError
        If it is none, or belongs to the layout of the file (``NAXIS1``), which no correction can change.
    """
    plain = " ".join(keyword.upper().split()).removeprefix("HIERARCH ")
    if not _KEYWORD.fullmatch(plain):
        raise HeaderError(
            f"{keyword!r} is not a header keyword: at most eight of A-Z 0-9 - _, or several such words",
            fix="isrflow header correct EXPTIME 30.0 --where ...",
        )
    if is_structural(plain) or plain in {"COMMENT", "HISTORY"}:
        raise HeaderError(f"{plain} says how the file is laid out, not how the exposure was taken; it stays as it is")
    return plain


def checked_value(value: CardValue) -> CardValue:
    """Return a value that a card can hold.

    Raises
    ------
    HeaderError
        If it is not finite, not printable ASCII, or too long.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise HeaderError(f"a header cannot hold {value}", fix="take the card away instead: --delete")
    if isinstance(value, str) and not (value.isascii() and (value.isprintable() or not value)):
        raise HeaderError(f"a header holds printable ASCII only, not {value!r}")
    if isinstance(value, str) and len(value) > _LONGEST:
        raise HeaderError(f"a card holds at most {_LONGEST} characters, these are {len(value)}: {value!r}")
    return value


def parse_value(text: str, kind: str = "auto") -> CardValue:
    """Read a value as people type it.

    Parameters
    ----------
    text
        What was typed.
    kind
        ``auto``: as a FITS card would be read (``30`` is a whole number, ``3e1`` a number, ``T`` a truth, ``'30'`` or
        anything else a text); or ``text``, ``int``, ``float``, ``bool``.

    Raises
    ------
    HeaderError
        If the text is not of that kind.
    """
    readers: Mapping[str, Callable[[str], CardValue]] = {
        "text": str,
        "int": int,
        "float": float,
        "bool": _truth,
        "auto": _guessed,
    }
    if kind not in readers:
        raise HeaderError(f"{kind!r} is no kind of value; there is {', '.join(readers)}")
    try:
        return checked_value(readers[kind](text))
    except ValueError:
        raise HeaderError(f"{text!r} is not of kind {kind}", fix="another --type, or another value") from None


def _guessed(text: str) -> CardValue:
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        return plain[1:-1]
    guesses: tuple[Callable[[str], CardValue], ...] = (int, float, _truth)
    for read in guesses:
        try:
            if "_" not in plain:  # Python reads 1_000 as a number, FITS does not
                return read(plain)
        except ValueError:
            continue
    return text


def _truth(text: str) -> bool:
    known = {"t": True, "true": True, "f": False, "false": False}
    if text.strip().lower() not in known:
        raise ValueError(text)
    return known[text.strip().lower()]
