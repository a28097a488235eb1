"""What one name of an LSST configuration is here: a setting of ours, nothing at all, or something we must refuse."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["bool", "int", "float", "text", "texts", "numbers", "mapping", "any"]
Values = Mapping[str, Any]
"""All names of a configuration with their values, defaults included."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value has to be besides its kind."""

    text: str
    holds: Callable[[Any], bool]


POSITIVE = Limit("greater than 0", lambda value: value > 0)
NOT_NEGATIVE = Limit("0 or greater", lambda value: value >= 0)
ABOVE_ONE = Limit("greater than 1", lambda value: value > 1)
AT_LEAST_ONE = Limit("1 or greater", lambda value: value >= 1)
AT_LEAST_TWO = Limit("2 or greater", lambda value: value >= 2)
AT_LEAST_THREE = Limit("3 or greater", lambda value: value >= 3)
FRACTION = Limit("from 0 to 1", lambda value: 0 <= value <= 1)
ODD_OR_ZERO = Limit("odd, or 0", lambda value: value == 0 or value % 2 == 1)
ODD = Limit("odd", lambda value: value % 2 == 1)


def one_of(*choices: Any) -> Limit:
    """Return the limit of a choice."""
    return Limit("one of " + ", ".join(str(choice) for choice in choices), lambda value: value in choices)


@dataclass(frozen=True, slots=True)
class Name:
    """One name of an LSST configuration; a name that ends in ``.*`` stands for everything below it."""

    lsst: str
    default: Any
    """As LSST states it."""
    effect: Literal["setting", "nothing", "refused"]
    ours: tuple[str, ...] = ()
    """The settings it goes to, dotted."""
    note: str = ""
    kind: Kind = "any"
    optional: bool = False
    """Whether None is a value."""
    limit: Limit | None = None

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value, or None."""
        if value is None and self.optional:
            return None
        if not is_of_kind(value, self.kind):
            return f"{self.lsst} must be {_IN_WORDS[self.kind]}, not {value!r}"
        if self.limit is not None and not self.limit.holds(value):
            return f"{self.lsst} must be {self.limit.text}, not {value!r}"
        if self.effect == "refused" and not same(value, self.default):
            return f"{self.lsst} = {value!r}: {self.note}"
        return None


def to(
    lsst: str, default: Any, *ours: str, limit: Limit | None = None, kind: Kind | None = None, note: str = ""
) -> Name:
    """Map a name to settings of ours."""
    kind = kind or kind_of(default)
    return Name(lsst, default, "setting", ours, note, kind, default is None, limit)


def idle(lsst: str, default: Any, note: str, *, kind: Kind = "any") -> Name:
    """Accept a name that does nothing, with a warning if it is changed."""
    return Name(lsst, default, "nothing", (), note, kind, default is None)


def refused(lsst: str, default: Any, why: str) -> Name:
    """Accept a name at its default only."""
    return Name(lsst, default, "refused", (), why)


def under(prefix: str, *names: Name) -> tuple[Name, ...]:
    """Put the names of a configuration inside another."""
    return tuple(
        Name(f"{prefix}.{n.lsst}", n.default, n.effect, n.ours, n.note, n.kind, n.optional, n.limit) for n in names
    )


def kind_of(default: Any) -> Kind:
    """Read the kind of a value off its default."""
    if isinstance(default, bool):
        return "bool"
    if isinstance(default, int):
        return "int"
    if isinstance(default, float):
        return "float"
    if isinstance(default, str):
        return "text"
    if isinstance(default, tuple) and default and not isinstance(default[0], str):
        return "numbers"
    if isinstance(default, tuple):
        return "texts"
    return "mapping" if isinstance(default, Mapping) else "any"


def is_of_kind(value: Any, kind: Kind) -> bool:
    """Tell whether a value is of a kind; numbers of numpy count, and whole numbers count as floats."""
    if kind in ("texts", "numbers"):
        inner: Kind = "text" if kind == "texts" else "float"
        return isinstance(value, (list, tuple)) and all(is_of_kind(each, inner) for each in value)
    if kind == "bool" or isinstance(value, bool):
        return kind == "any" or (kind == "bool" and isinstance(value, bool))
    if kind in ("int", "float"):
        return isinstance(value, numbers.Integral if kind == "int" else numbers.Real)
    if kind == "text":
        return isinstance(value, str)
    return isinstance(value, Mapping) if kind == "mapping" else True


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are equal; NaN equals NaN, and a list a tuple."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def plain(value: Any) -> Any:
    """Return numbers that JSON writes as texts as numbers."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value.replace("Infinity", "inf"))
    return value


_IN_WORDS: Mapping[str, str] = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "a text",
    "texts": "a list of texts",
    "numbers": "a list of numbers",
    "mapping": "a mapping",
}
