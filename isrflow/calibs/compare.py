"""Exact comparison of nested values, with NaN equal to NaN, saying where they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def differences(a: Any, b: Any, place: str = "") -> list[str]:
    """Return the places at which two values differ; types of containers and byte orders do not matter."""
    return list(_differences(a, b, place))


def _differences(a: Any, b: Any, place: str) -> Iterator[str]:
    if is_dataclass(a) and type(a) is type(b):
        for item in fields(a):
            if item.compare:
                yield from _differences(getattr(a, item.name), getattr(b, item.name), _dot(place, item.name))
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            if key in a and key in b:
                yield from _differences(a[key], b[key], _dot(place, str(key)))
            else:
                yield f"{_dot(place, str(key))}: only in the {'first' if key in a else 'second'}"
    elif isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not _same_array(np.asarray(a), np.asarray(b)):
            yield f"{place}: {a!r} and {b!r}"
    elif _is_list(a) and _is_list(b):
        if len(a) != len(b):
            yield f"{place}: {len(a)} and {len(b)} items"
        for i, (left, right) in enumerate(zip(a, b, strict=False)):
            yield from _differences(left, right, f"{place}[{i}]")
    elif not (a == b or (_is_nan(a) and _is_nan(b))):
        yield f"{place}: {a!r} and {b!r}"


def _same_array(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    if a.shape != b.shape:
        return False
    numbers = a.dtype.kind in "fc" and b.dtype.kind in "fc"
    return bool(np.array_equal(a, b, equal_nan=numbers))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _dot(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
