"""Values that people write or hand over -> the values that columns hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from registry.errors import did_you_mean
from registry.query.fields import Kind, Source
from registry.times import parse_day, parse_time

LARGEST = 2**63
"""No database holds a whole number beyond this."""
_SCALE = re.compile(r"(?P<time>.+?)\s+(?P<scale>utc|tai|tt|tdb|ut1)", re.IGNORECASE | re.DOTALL)


def converted(content: Any, source: Source) -> Any:
    """Return a value as the column of a field holds it.

    Raises
    ------
    TypeError, ValueError
        If it is none of the field's values; a ValueError says why.
    """
    return _CONVERTERS[source.kind](plain_value(content), source)


def plain_value(content: Any) -> Any:
    """Return a number of numpy's as one of Python's; everything else as it is."""
    return content.item() if type(content).__module__ == "numpy" and getattr(content, "ndim", 1) == 0 else content


def listed_values(content: Any) -> list[Any] | None:
    """Return the values of a list, tuple, set, range or array; None if it is something else."""
    if isinstance(content, list | tuple | set | frozenset | range):
        return list(content)
    if type(content).__module__ == "numpy" and getattr(content, "ndim", 0) == 1:
        return list(content.tolist())
    values = getattr(content, "tolist", None)
    if type(content).__module__.startswith("pandas.") and callable(values):
        found = values()
        return list(found) if isinstance(found, Iterable) else None
    return None


def whole(content: Any, _: Source | None = None) -> int:
    """Insist on a whole number that a database can hold."""
    if isinstance(content, bool) or not isinstance(content, int):
        raise TypeError
    if not -LARGEST <= content < LARGEST:
        raise ValueError("it is too large")
    return content


def number(content: Any, _: Source | None = None) -> float:
    """Insist on a finite number."""
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise TypeError
    try:
        found = float(content)
    except OverflowError:
        raise ValueError("it is too large") from None
    if math.isnan(found):
        raise ValueError("it is no number, and is neither equal to, nor more, nor less than any")
    if math.isinf(found):
        raise ValueError("it is too large")
    return found


def words(content: Any) -> str:
    """Insist on a text that a database can hold."""
    if not isinstance(content, str):
        raise TypeError
    if "\0" in content or (not content.isascii() and any("\ud800" <= letter <= "\udfff" for letter in content)):
        raise ValueError("it has letters that no database holds")
    return content


class UnknownWordError(ValueError):
    """A text of the right kind that is none of those there can be; the message says which there are."""


def _text(content: Any, source: Source) -> str:
    found = words(content)
    if not source.known:
        return found
    word = found.upper() if source.known[0].isupper() else found.lower()
    if word not in source.known:
        near = did_you_mean(word, source.known)
        there = "" if "there is" in near else f"; there is {', '.join(sorted(source.known))}"
        raise UnknownWordError(f"{near}{there}")
    return word


def _truth(content: Any, _: Source) -> int:
    if not isinstance(content, bool):
        raise TypeError
    return int(content)


def _day(content: Any, _: Source) -> int:
    # A number may be any: 20260231 is a fair end of February in a range.
    return parse_day(content) if isinstance(content, str) else whole(content)


def _time(content: Any, _: Source) -> int:
    if isinstance(content, bool) or not isinstance(content, str | int | float | datetime):
        raise TypeError
    if isinstance(content, float):
        number(content)
    if isinstance(content, str):
        scaled = _SCALE.fullmatch(words(content).strip())
        if scaled:
            return parse_time(scaled["time"], scaled["scale"].lower())
    return parse_time(content)


def _id_range(content: Any, _: Source) -> tuple[UUID, UUID]:
    digits = str(content).replace("-", "").lower()
    if not isinstance(content, str | UUID) or not re.fullmatch("[0-9a-f]{1,32}", digits):
        raise ValueError
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _attribute(content: Any, _: Source) -> str | float | bool:
    if isinstance(content, bool):
        return content
    return words(content) if isinstance(content, str) else number(content)


_CONVERTERS: dict[Kind, Callable[[Any, Source], Any]] = {
    Kind.INTEGER: whole,
    Kind.NUMBER: number,
    Kind.TEXT: _text,
    Kind.TRUTH: _truth,
    Kind.DAY: _day,
    Kind.TIME: _time,
    Kind.ID: _id_range,
    Kind.ATTRIBUTE: _attribute,
}
