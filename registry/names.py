"""Names of instruments, detectors, filters and types: what people can type, and no file system or shell minds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from registry.errors import UserError, listed

LONGEST_NAME = 100
"""Characters; a file's name is made of several names, and file systems take 255 bytes."""


def refuse_names(kind: str, names: Iterable[str]) -> None:
    """Refuse names that cannot be used, all at once.

    Raises
    ------
    UserError
        With every offender, and what is wrong with it.
    """
    wrong = {name: found for name in names if (found := wrong_with(name))}
    if wrong:
        lines = listed(f"{name!r}: {'; '.join(found)}" for name, found in wrong.items())
        message = f"{len(wrong)} name(s) cannot be that of {kind}; nothing was stored:\n{lines}"
        raise UserError(message, fix="names of letters, digits and the usual signs")


def wrong_with(name: str) -> list[str]:
    """Return everything that is wrong with a name."""
    parts = name.split("/")
    found = (
        (not name, "it is empty"),
        (name != name.strip(), "it has blanks around it"),
        (not name.isprintable(), "it has characters that cannot be printed"),
        (unicodedata.normalize("NFC", name) != name, "its letters are composed in another way than is usual (NFC)"),
        (len(name) > LONGEST_NAME, f"it has {len(name)} characters, {LONGEST_NAME} are allowed"),
        (any(part in {".", ".."} for part in parts) or name.startswith("/"), "it is a path that leads elsewhere"),
    )
    return [reason for is_so, reason in found if is_so]
