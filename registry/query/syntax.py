"""The query language: text -> a small tree that knows its columns.

.. code-block:: text

    obs_type = 'science' and day_obs in 20260301..20260331
    physical_filter in ('g', 'r') and not (detector = 3 or exposure_time < 30)
    run ~ 'calibs/*' and created >= '2026-03-02T12:00:00'
    exposure = :exposure

Keywords are not case-sensitive, names are. Ranges include both ends. Days are ``YYYYMMDD``, times are quoted ISO texts
in UTC, ``~`` compares with a glob pattern (``*``, ``?``), ``:name`` is a value handed over apart from the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from registry.errors import QuerySyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

GRAMMAR = r"""
?either: both (_OR both)*
?both: opposite (_AND opposite)*
?opposite: test | NOT opposite -> negation
?test: "(" either ")" | compare | member | like | absent
compare: FIELD COMPARISON value
member: FIELD [NOT] _IN _items
_items: "(" _item ("," _item)* ")" | span
_item: value | span
span: value _RANGE value
like: FIELD [NOT] _LIKE value
absent: FIELD _IS [NOT] _NULL
value: NUMBER | STRING | BIND | TRUTH

_OR.2: /or\b/i
_AND.2: /and\b/i
NOT.2: /not\b/i
_IN.2: /in\b/i
_IS.2: /is\b/i
_NULL.2: /null\b/i
TRUTH.2: /(true|false)\b/i
_LIKE.2: /like\b|~/i
_RANGE: ".."
COMPARISON: "!=" | "<=" | ">=" | "=" | "<" | ">"
FIELD: /[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/
NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
STRING: /'(?:[^']|'')*'|"(?:[^"]|"")*"/
BIND: /:[A-Za-z_]\w*/
%ignore /\s+/
"""

_SPOKEN = {
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


@dataclass(frozen=True, slots=True)
class Field:
    """A name, and the column (from 1) where it stands in the text."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value written in the text, or the name (`bind`) of one handed over apart."""

    content: str | int | float | bool | None
    bind: str | None
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    """All from `first` to `last`, both included."""

    first: Value
    last: Value


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``."""

    field: Field
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Member:
    """``field in (a, b, 1..9)``."""

    field: Field
    items: tuple[Value | Span, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """``field ~ 'pattern*'``."""

    field: Field
    pattern: Value


@dataclass(frozen=True, slots=True)
class Absent:
    """``field is null``."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """``not condition``."""

    condition: Node


@dataclass(frozen=True, slots=True)
class And:
    """``a and b and c``."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """``a or b or c``."""

    conditions: tuple[Node, ...]


Node = Compare | Member | Like | Absent | Not | And | Or


def parse(text: str) -> Node:
    """Turn the text of a condition, which must not be blank, into a tree.

    Raises
    ------
    QuerySyntaxError
        With the text, the column, and what was expected there.
    """
    from lark.exceptions import UnexpectedInput

    try:
        return _node(_parser().parse(text))
    except UnexpectedInput as problem:
        raise _explained(text, problem) from None


def complaint(text: str, column: int, message: str, expected: Sequence[str] = ()) -> QuerySyntaxError:
    """Return an error that shows the text with a caret under the column (from 1)."""
    line = "".join(" " if letter.isspace() else letter for letter in text)
    shown = f"{message}\n    {line}\n    {' ' * (column - 1)}^"
    return QuerySyntaxError(shown, text=text, column=column, expected=expected)


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, start="either", parser="lalr", maybe_placeholders=True)


def _node(tree: Tree[Token]) -> Node:
    return _BUILDERS[str(tree.data)](tree.children)


def _field(token: object) -> Field:
    found = cast("Token", token)
    return Field(str(found), (found.start_pos or 0) + 1)


def _value(tree: object) -> Value:
    token = cast("Token", cast("Tree[Token]", tree).children[0])
    column, text = (token.start_pos or 0) + 1, str(token)
    if token.type == "BIND":
        return Value(None, text[1:], column)
    if token.type == "STRING":
        return Value(text[1:-1].replace(text[0] * 2, text[0]), None, column)
    if token.type == "TRUTH":
        return Value(text.lower() == "true", None, column)
    return Value(int(text) if text.lstrip("-").isdigit() else float(text), None, column)


def _item(tree: object) -> Value | Span:
    found = cast("Tree[Token]", tree)
    return _value(found) if found.data == "value" else Span(*map(_value, found.children))


def _perhaps_not(negated: object, condition: Node) -> Node:
    return Not(condition) if negated else condition


_BUILDERS: dict[str, Callable[[Sequence[object]], Node]] = {
    "either": lambda parts: Or(tuple(_node(cast("Tree[Token]", part)) for part in parts)),
    "both": lambda parts: And(tuple(_node(cast("Tree[Token]", part)) for part in parts)),
    "negation": lambda parts: Not(_node(cast("Tree[Token]", parts[1]))),
    "compare": lambda parts: Compare(_field(parts[0]), str(parts[1]), _value(parts[2])),
    "member": lambda parts: _perhaps_not(parts[1], Member(_field(parts[0]), tuple(map(_item, parts[2:])))),
    "like": lambda parts: _perhaps_not(parts[1], Like(_field(parts[0]), _value(parts[2]))),
    "absent": lambda parts: _perhaps_not(parts[1], Absent(_field(parts[0]))),
}


def _explained(text: str, problem: UnexpectedInput) -> QuerySyntaxError:
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
    expected = [spoken for name, spoken in _SPOKEN.items() if name in accepted]
    message = f"the query cannot be read at column {column}: found {found}, expected {_alternatives(expected)}"
    return complaint(text, column, message + _hint(found, accepted), expected)


def _alternatives(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _hint(found: str, accepted: Collection[str]) -> str:
    """Return the usual way out of the usual mistakes."""
    if "STRING" not in accepted or found == "the end":
        return ""
    if found[1] in "'\"":
        return "; a quote is not closed"
    return f"; texts are written in quotes: {found}" if found[1].isalpha() else ""
