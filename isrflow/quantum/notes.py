"""What people noted of the raws of a quantum: cards of headers that were corrected, and flags. Made when it is planned.

Corrected cards decide pixels and are part of the content key; flags are only passed on to whoever uses the product.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Notes = Mapping[str, Any]
"""``headers``: role to keyword to value (None: the card is taken away); ``flags``: role to texts."""


def notes_on(headers: Mapping[str, Mapping[str, Any]], flags: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the notes of a quantum from those of its inputs, by role; nothing at all if nobody noted anything."""
    cards = {role: dict(changed) for role, changed in headers.items() if changed}
    said = {role: list(texts) for role, texts in flags.items() if texts}
    return ({"headers": cards} if cards else {}) | ({"flags": said} if said else {})


def headers_in(notes: Notes | None) -> Mapping[str, Mapping[str, Any]]:
    """Return the corrected cards by role."""
    found: Mapping[str, Mapping[str, Any]] = (notes or {}).get("headers", {})
    return found


def note_cards(notes: Notes) -> dict[str, str]:
    """Return the header cards of a product that tell what was noted of its raws."""
    cards = {
        f"ISRFLOW HEADER {_word(role)} {keyword}": "taken away" if value is None else json.dumps(value)
        for role, changed in headers_in(notes).items()
        for keyword, value in changed.items()
    }
    for role, texts in notes.get("flags", {}).items():
        cards[f"ISRFLOW FLAG {_word(role)}"] = _plain("; ".join(texts))
    return cards


def _plain(text: str) -> str:
    """Spell what people wrote in the letters that FITS knows; the registry has it as it was."""
    return " ".join(text.split()).encode("ascii", "replace").decode("ascii")


def _word(role: str) -> str:
    """Spell a role as it stands in cards."""
    return role.upper().replace(":", " ")
