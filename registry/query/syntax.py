"""The query language: text -> a small tree that knows its columns.

.. code-block:: text

    obs_type = 'science' and day_obs in 20260301..20260331
    physical_filter in ('g', 'r') and not (detector = 3 or exposure_time < 30)
    run ~ 'calibs/*' and created >= '2026-03-02T12:00:00'
    seq_num in 1..99:2 and exposure.end <= dataset.created and attrs.airmass < 1.5
    exposure in :exposures

Keywords are not case-sensitive, names are. Ranges include both ends. Days are ``YYYYMMDD``, times are quoted ISO texts
in UTC, ``~`` compares with a glob pattern (``*``, ``?``), ``:name`` is a value, or a list, handed over apart from the
text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from registry.query.complaints import complaint, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lark import Lark, Token, Tree

GRAMMAR = r"""
?either: both (_OR both)*
?both: opposite (_AND opposite)*
?opposite: test | NOT opposite -> negation
?test: "(" either ")" | compare | member | like | absent
compare: (FIELD | value) COMPARISON (FIELD | value)
member: FIELD [NOT] _IN _items
_items: "(" _item ("," _item)* ")" | span | several
_item: value | span
several: BIND
span: value _RANGE value [":" NUMBER]
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
FIELD: /[^\W\d]\w*(\.[^\W\d][\w-]*\b)*/
NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
STRING: /'(?:[^']|'')*'|"(?:[^"]|"")*"/
BIND: /:[^\W\d]\w*/
%ignore /\s+/
"""

DEEPEST = 30
"""So many parentheses and nots may stand inside each other."""
_NESTING = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<open>\()|(?P<close>\))|(?P<not>\bnot\b)""", re.IGNORECASE)


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
    """All from `first` to `last`, both included; or, from `first`, every `stride`-th."""

    first: Value
    last: Value
    stride: Value | None = None


@dataclass(frozen=True, slots=True)
class Several:
    """A list handed over apart."""

    value: Value


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``: a field with a value, or with another field; the field stands on the left."""

    field: Field
    operator: str
    value: Value | Field


@dataclass(frozen=True, slots=True)
class Member:
    """``field in (a, b, 1..9)``."""

    field: Field
    items: tuple[Value | Span | Several, ...]


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

    _refuse_abyss(text)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as problem:
        raise unreadable(text, problem) from None
    return _node(tree, text)


def conjuncts(node: Node) -> tuple[Node, ...]:
    """Return the conditions that must all hold."""
    if not isinstance(node, And):
        return (node,)
    return tuple(part for each in node.conditions for part in conjuncts(each))


def _refuse_abyss(text: str) -> None:
    """Refuse what is nested deeper than databases (and Python) can follow."""
    depth, nots = 0, 0
    for found in _NESTING.finditer(text):
        nots = nots + 1 if found["not"] else 0
        depth += (found["open"] is not None) - (found["close"] is not None)
        if max(depth, nots) > DEEPEST:
            message = f"the query is nested too deeply: more than {DEEPEST} parentheses or nots inside each other"
            raise complaint(text, found.start() + 1, message)


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, start="either", parser="lalr", maybe_placeholders=True)


def _node(tree: Tree[Token], text: str) -> Node:
    return _BUILDERS[str(tree.data)](tree.children, text)


def _field(token: object) -> Field:
    found = cast("Token", token)
    return Field(str(found), (found.start_pos or 0) + 1)


def _value(tree: object) -> Value:
    return _literal(cast("Token", cast("Tree[Token]", tree).children[0]))


def _literal(token: Token) -> Value:
    column, text = (token.start_pos or 0) + 1, str(token)
    if token.type == "BIND":
        return Value(None, text[1:], column)
    if token.type == "STRING":
        return Value(text[1:-1].replace(text[0] * 2, text[0]), None, column)
    if token.type == "TRUTH":
        return Value(text.lower() == "true", None, column)
    # Python reads no whole number of more digits than this; as a float it is too large for any field all the same.
    whole = text.lstrip("-").isdigit() and len(text) < 1000
    return Value(int(text) if whole else float(text), None, column)


def _item(tree: object) -> Value | Span | Several:
    found = cast("Tree[Token]", tree)
    if found.data == "several":
        return Several(_value(found))
    if found.data == "value":
        return _value(found)
    first, last, stride = found.children
    return Span(_value(first), _value(last), None if stride is None else _literal(cast("Token", stride)))


def _comparison(parts: Sequence[object], text: str) -> Node:
    """Put the field on the left."""
    left, operator, right = parts
    sides = [_value(side) if hasattr(side, "children") else _field(side) for side in (left, right)]
    if isinstance(sides[0], Field):
        return Compare(sides[0], str(operator), sides[1])
    if isinstance(sides[1], Field):
        return Compare(sides[1], _MIRRORED.get(str(operator), str(operator)), sides[0])
    raise complaint(text, sides[0].column, "one side of a comparison must be a field; both are values")


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _perhaps_not(negated: object, condition: Node) -> Node:
    return Not(condition) if negated else condition


def _nodes(parts: Sequence[object], text: str) -> tuple[Node, ...]:
    return tuple(_node(cast("Tree[Token]", part), text) for part in parts)


_BUILDERS: dict[str, Callable[[Sequence[object], str], Node]] = {
    "either": lambda parts, text: Or(_nodes(parts, text)),
    "both": lambda parts, text: And(_nodes(parts, text)),
    "negation": lambda parts, text: Not(_node(cast("Tree[Token]", parts[1]), text)),
    "compare": _comparison,
    "member": lambda parts, _: _perhaps_not(parts[1], Member(_field(parts[0]), tuple(map(_item, parts[2:])))),
    "like": lambda parts, _: _perhaps_not(parts[1], Like(_field(parts[0]), _value(parts[2]))),
    "absent": lambda parts, _: _perhaps_not(parts[1], Absent(_field(parts[0]))),
}
