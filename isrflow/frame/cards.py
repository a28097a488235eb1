"""FITS header cards: how values become 80-character lines, and which cards do not count as content.

Numbers are formatted here and not by astropy, which rounds floats to twenty characters and cuts off values that do not
fit after a long HIERARCH key; astropy formats strings (it knows CONTINUE) and does all the reading.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from isrflow.errors import HeaderError
from isrflow.frame.fitsbytes import BLOCK, CARD

VOLATILE_CARDS = frozenset(
    {
        "DATE",
        "CHECKSUM",
        "DATASUM",
        "ZHECKSUM",
        "ZDATASUM",
        "ISRFLOW DATASET",
        "ISRFLOW QUANTUM",
        "ISRFLOW RUN",
        "ISRFLOW SOFTWARE",
        "ISRFLOW CALIBSET",
        "ISRFLOW ATTEMPT",
        "ISRFLOW HOST",
        "ISRFLOW WRITTEN",
        "CALIBDATE",
        "CALIB_CREATION_DATE",
        "CALIB_CREATION_TIME",
        "CALIB_CREATION_DATETIME",
    }
)
"""Cards that may differ between two identical products: when, where, in which run and attempt they were written."""
VOLATILE_PREFIXES = ("ISRFLOW SECONDS ", "ISRFLOW SOURCE ", "ISRFLOW FLAG ", "LSST CALIB DATE ")
"""Beginnings of further volatile cards: how long each step took, which files of the same run were read (what they say
counts), what people thought of the raw when it was read, when each calibration used was made."""
_ADDRESS = re.compile(r"^ISRFLOW (?!CONTEXT ).+ (ID|SHA256)$")
"""Cards that say which file was read; what it says counts, and stands in a card of its own (``ISRFLOW CONTENT``)."""

_PLAIN_KEY = re.compile(r"^[A-Z0-9_-]{1,8}$")
_STRUCTURAL = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|END|CONTINUE|LONGSTRN|INHERIT"
    r"|EXTNAME|EXTTYPE|EXTVER|EXTLEVEL|CHECKSUM|DATASUM|DATAMIN|DATAMAX|EXPINFO_V|AR_HDU|BUNIT|ZHECKSUM|ZDATASUM"
    r"|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|DIM|SCAL|ZERO|DISP|BCOL)\d+"
    r"|Z(IMAGE|SIMPLE|TENSION|BITPIX|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|QUANTIZ|DITHER\d*|EXTEND|PCOUNT|GCOUNT"
    r"|BLANK|MASKCMP|BLOCKED)"
    r"|WCSAXES[A-Z]?|C(TYPE|RPIX|RVAL|UNIT|DELT|ROTA|NAME)\d+[A-Z]?|(CD|PC|PV|PS|LTM)\d+_\d+[A-Z]?|LTV\d"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)|LONPOLE[A-Z]?|LATPOLE[A-Z]?"
    r"|(PHOTOCALIB|VALID_POLYGON|PSF|SKYWCS|FILTER|TRANSMISSION_CURVE|DETECTOR|AP_CORR_MAP|COADD_INPUTS)_ID"
    r"|ARCHIVE_ID_\w+|MP_\w+|)$"
)
_BOILERPLATE = ("FITS (Flexible Image Transport System)", "and Astrophysics', volume 376")
_NON_FINITE = {"NAN": math.nan, "+INFINITY": math.inf, "INFINITY": math.inf, "-INFINITY": -math.inf}


def is_structural(key: str) -> bool:
    """Whether a card describes a file's layout or pixel coordinates, so that it must not outlive that file."""
    return _STRUCTURAL.match(key) is not None


def is_volatile(key: str) -> bool:
    """Whether a card may differ between two identical products."""
    return key in VOLATILE_CARDS or key.startswith(VOLATILE_PREFIXES) or _ADDRESS.match(key) is not None


def format_card(key: str, value: Any, comment: str = "") -> str:
    """Write one card as one or more 80-character lines.

    Parameters
    ----------
    key
        Any key; those FITS cannot hold in eight characters become HIERARCH cards.
    value
        bool, int, float, str, a numpy scalar, None (an undefined card), or a list or mapping (written as JSON text).
        NaN and the infinities become the strings ``NAN``, ``+INFINITY``, ``-INFINITY``.
    comment
        Dropped where it does not fit.

    Raises
    ------
    HeaderError
        If key and value do not fit on one line together.
    """
    value = _plain(value)
    name = key if _PLAIN_KEY.match(key) else f"HIERARCH {key}"
    if isinstance(value, str):
        return _string_card(name, value)
    text = _number(value)
    short = f"{name:<8}= {text:>20}".rstrip()
    line = f"{name} = {text}" if name.startswith("HIERARCH") else short
    if len(line) > CARD:
        raise HeaderError(f"header card {key!r} = {text} needs {len(line)} characters, FITS has {CARD}")
    if comment and len(line) + 3 + len(comment) <= CARD:
        line += f" / {comment}"
    return line.ljust(CARD)


def format_commentary(key: str, text: str) -> str:
    """Write HISTORY or COMMENT text as as many lines as it needs."""
    ascii_text = _ascii(text)
    pieces = [ascii_text[i : i + CARD - 8] for i in range(0, max(len(ascii_text), 1), CARD - 8)]
    return "".join(f"{key:<8}{piece}".ljust(CARD) for piece in pieces)


def format_header(cards: Iterable[tuple[str, Any] | tuple[str, Any, str]]) -> bytes:
    """Write cards, END and padding: a whole header as stored.

    Parameters
    ----------
    cards
        (key, value) or (key, value, comment), in order; for HISTORY and COMMENT the value may be a list of lines.
    """
    lines: list[str] = []
    for key, value, *comment in cards:
        if key in ("HISTORY", "COMMENT"):
            texts = [value] if isinstance(value, str) else value
            lines += [format_commentary(key, str(text)) for text in texts]
        else:
            lines.append(format_card(key, value, *comment))
    text = "".join(lines) + "END".ljust(CARD)
    return (text + " " * (-len(text) % BLOCK)).encode("ascii")


def parse_header(header: fits.Header) -> dict[str, Any]:
    """Return the cards of a header as plain values, without those that describe the file's layout.

    HISTORY and COMMENT become lists of lines; undefined cards become None; ``NAN`` and the infinities become floats.
    """
    cards: dict[str, Any] = {}
    for card in header.cards:
        key = card.keyword
        if is_structural(key):
            continue
        if key in ("HISTORY", "COMMENT"):
            text = str(card.value)
            if not text.strip().startswith(_BOILERPLATE):
                cards.setdefault(key, []).append(text)
        elif key not in cards:
            cards[key] = parse_value(card.value)
    return cards


def parse_value(value: Any) -> Any:
    """Return a card's value as a plain Python value."""
    if isinstance(value, fits.card.Undefined):
        return None
    if isinstance(value, str):
        return _NON_FINITE.get(value.strip(), value)
    return value


def content_lines(header: bytes) -> bytes:
    """Return the lines of a stored header that count as content: no volatile cards, END or padding."""
    return b"".join(_content_lines(header))


def _content_lines(header: bytes) -> Iterator[bytes]:
    keep = True
    for start in range(0, len(header), CARD):
        line = header[start : start + CARD]
        name = line[:8].rstrip()
        if name == b"END":
            return
        if name != b"CONTINUE":
            key = line[9:].partition(b"=")[0].strip() if name == b"HIERARCH" else name
            keep = bool(line.strip()) and not is_volatile(key.decode("ascii", "replace"))
        if keep:
            yield line


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        # float32(0.1) is meant as 0.1: its shortest text, not the digits of the double it becomes
        value = float(str(value)) if isinstance(value, np.floating) else value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NAN" if math.isnan(value) else f"{'+' if value > 0 else '-'}INFINITY"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(value, default=str)
    return str(value)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    return repr(value).upper()


def _string_card(name: str, value: str) -> str:
    try:
        image: str = fits.Card(name, _ascii(value)).image
    except ValueError as error:
        raise HeaderError(f"header card {name!r} cannot be written as FITS: {error}") from error
    return image


def _ascii(text: str) -> str:
    """Write text in the characters FITS allows; others are escaped."""
    text = " ".join(text.splitlines()) if not text.isprintable() else text
    return text.encode("ascii", "backslashreplace").decode("ascii")
