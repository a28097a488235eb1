"""Names of collections: what can be typed again, kept as a folder, and not mistaken for another name."""

from __future__ import annotations

import unicodedata

from registry.errors import UserError

LONGEST = 200
"""Characters of a name."""
LONGEST_PART = 100
"""Characters between two slashes; file systems take 255 bytes."""
_RESERVED = "*?[]'\"\\"


def normalised(name: str) -> str:
    """Return a name in the one spelling that is kept: composed letters, as most keyboards make them (NFC)."""
    return unicodedata.normalize("NFC", name)


def checked_name(name: str) -> str:
    """Return a name for a new collection, in the spelling that is kept.

    Raises
    ------
    UserError
        If it cannot be used; all that is wrong with it is said.
    """
    plain = normalised(name)
    parts = plain.split("/")
    wrong = [
        reason
        for is_so, reason in (
            (not plain, "it is empty"),
            (plain != plain.strip(), "it has blanks around it"),
            (not plain.isprintable(), "it has characters that cannot be printed"),
            (any(sign in plain for sign in _RESERVED), f"it has one of {_RESERVED}"),
            (len(plain) > LONGEST, f"it has {len(plain)} characters, {LONGEST} are allowed"),
            (max(map(len, parts)) > LONGEST_PART, f"a part has more than {LONGEST_PART} characters"),
            (bool(plain) and "" in parts, "a part between slashes is empty"),
            (any(part.startswith(".") for part in parts), "a part begins with a dot"),
            (any(part != part.strip() for part in parts), "a part has blanks around it"),
            (unicodedata.normalize("NFKC", plain) != plain, "it has letters that only look like others"),
            (len(_scripts(plain)) > 1, f"it mixes letters that look alike: {', '.join(sorted(_scripts(plain)))}"),
        )
        if is_so
    ]
    if wrong:
        raise UserError(f"{name!r} cannot name a collection: {'; '.join(wrong)}", fix="a name like calibs/20260301")
    return plain


def _scripts(text: str) -> set[str]:
    """Return the alphabets that letters are of: one of another among Latin letters cannot be told by eye."""
    return {unicodedata.name(letter, "UNKNOWN").split()[0] for letter in text if letter.isalpha()}
