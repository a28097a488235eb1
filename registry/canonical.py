"""One spelling of a JSON value, so that equal values have equal hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def canonical_json(value: object) -> str:
    """Spell a value as JSON with sorted keys and no spaces.

    Raises
    ------
    TypeError, ValueError
        For what JSON cannot hold (NaN included): a hash over it would not be reproducible.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def sha256_text(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_json(value: object) -> str:
    """Return the hexadecimal SHA-256 of the canonical spelling of a value."""
    return sha256_text(canonical_json(value))


def _plain(value: object) -> object:
    """Turn any mapping into a dict; everything else is refused."""
    if isinstance(value, Mapping):
        return dict(value)
    message = f"a value of type {type(value).__name__} has no canonical JSON: {value!r}"
    raise TypeError(message)
