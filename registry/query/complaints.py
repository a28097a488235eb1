"""Errors about a query: the text, a caret under the column, what was found, what was expected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, cast

from registry.errors import QuerySyntaxError

if TYPE_CHECKING:
    from lark import Token
    from lark.exceptions import UnexpectedInput

SPOKEN = {
    "FIELD": "a field",
    "COMPARISON": "one of = != < <= > >=",
    "_LIKE": "~",
    "_IN": "in",
    "_IS": "is",
    "_NULL": "null",
    "NOT": "not",
    "_AND": "and",
    "_OR": "or",
    "_RANGE": "..",
    "NUMBER": "a number",
    "STRING": "a text in quotes",
    "BIND": ":name",
    "TRUTH": "true or false",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
"""How each terminal of the grammar is called in an error, in the order in which they are listed."""
_WIDTH = 100
"""Of a long query, so many letters around the place are shown."""


def complaint(text: str, column: int, message: str, expected: Sequence[str] = ()) -> QuerySyntaxError:
    """Return an error that shows the text with a caret under the column (from 1)."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    start = 0 if len(line) <= _WIDTH else max(0, min(column - 1 - _WIDTH // 2, len(line) - _WIDTH))
    cut = line[start : start + _WIDTH]
    before, after = "... " if start else "", " ..." if start + _WIDTH < len(line) else ""
    shown = f"{message}\n    {before}{cut}{after}\n    {' ' * (len(before) + column - 1 - start)}^"
    return QuerySyntaxError(shown, text=text, column=column, expected=expected)


def unreadable(text: str, problem: UnexpectedInput) -> QuerySyntaxError:
    """Say in words what lark found and what it would have accepted."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if isinstance(problem, UnexpectedToken):
        token = cast("Token", problem.token)
        accepted: Collection[str] = problem.accepts or problem.expected
        at_end = token.type == "$END"
        column = len(text.rstrip()) + 1 if at_end else (token.start_pos or 0) + 1
        found = "the end" if at_end else f"'{token}'"
    else:
        assert isinstance(problem, UnexpectedCharacters)  # lark raises nothing else here
        accepted, column = problem.allowed or (), (problem.pos_in_stream or 0) + 1
        found = f"'{text[column - 1]}'"
    expected = [spoken for name, spoken in SPOKEN.items() if name in accepted]
    message = f"the query cannot be read at column {column}: found {found}, expected {_alternatives(expected)}"
    return complaint(text, column, message + _hint(found, text[: column - 1], accepted), expected)


def _alternatives(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _hint(found: str, before: str, accepted: Collection[str]) -> str:
    """Return the usual way out of the usual mistakes."""
    if found == "'='" and before.endswith("="):
        return "; equality is one ="
    if "STRING" not in accepted or found == "the end":
        return ""
    return "; a quote is not closed" if found[1] in "'\"" else ""
