"""A tree of `syntax` and a table of `fields` -> SQL, with every value bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, not_, or_

from registry.errors import InvalidTime, QuerySyntaxError, UnknownName, did_you_mean
from registry.query import syntax as s
from registry.query.fields import Kind, Source, Subject
from registry.times import parse_day, parse_time

_ORDERED: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
LARGEST = 2**63
"""No database holds a whole number beyond this."""


def condition(text: str, subject: Subject, bind: Mapping[str, Any]) -> tuple[ColumnElement[bool], frozenset[str]]:
    """Turn the text of a condition into SQL.

    Logic is two-valued: a comparison with something that does not apply (the filter of a bias) is false, and ``!=``
    and ``not`` are the exact opposites of ``=`` and of what follows.

    Returns
    -------
    ColumnElement, frozenset of str
        The condition, and the fields it speaks of.

    Raises
    ------
    QuerySyntaxError
        If the text cannot be read, or names an unknown field, or compares with a value of the wrong kind.
    UnknownName
        If `bind` has a value that the text does not use.
    """
    builder = _Builder(text, subject, bind)
    try:
        built = builder.build(s.parse(text))
    except RecursionError:
        raise s.complaint(text, 1, "the query is nested too deeply") from None
    unused = sorted(set(bind) - builder.used_binds)
    if unused:
        raise UnknownName(f"the query does not use the value(s) {', '.join(unused)}", kind="bind", name=unused[0])
    return built, frozenset(builder.used_fields)


def ordering(subject: Subject, order_by: Sequence[str]) -> list[ColumnElement[Any]]:
    """Return the columns to sort by: those asked for (``-name`` for descending), then the natural order."""
    columns: list[ColumnElement[Any]] = []
    for wanted in [*order_by, *subject.order]:
        source = subject.find(wanted.removeprefix("-"))
        if source is None:
            raise UnknownName(
                kind=f"field of {subject.what}", name=wanted.removeprefix("-"), known=list(subject.fields)
            )
        columns.append(source.column.desc() if wanted.startswith("-") else source.column.asc())
    return columns


@dataclass(slots=True)
class _Builder:
    text: str
    subject: Subject
    bind: Mapping[str, Any]
    used_binds: set[str]
    used_fields: set[str]

    def __init__(self, text: str, subject: Subject, bind: Mapping[str, Any]) -> None:
        self.text, self.subject, self.bind = text, subject, bind
        self.used_binds, self.used_fields = set(), set()

    def build(self, node: s.Node) -> ColumnElement[bool]:
        match node:
            case s.Or():
                return or_(*map(self.build, node.conditions))
            case s.And():
                return and_(*map(self.build, node.conditions))
            case s.Not():
                return not_(func.coalesce(self.build(node.condition), false()))
            case s.Absent():
                return self.source(node.field).column.is_(None)
            case s.Like():
                return self.like(node)
            case s.Member():
                return self.member(node)
            case s.Compare():
                return self.compare(node)

    def compare(self, node: s.Compare) -> ColumnElement[bool]:
        source = self.source(node.field)
        value = self.value(node.field, source, node.value)
        if node.operator == "=":
            return _equal(source, value)
        if node.operator == "!=":
            return not_(func.coalesce(_equal(source, value), false()))
        if source.kind in {Kind.ID, Kind.TRUTH}:
            raise self.complaint(node.value.column, f"{node.field.name} can only be compared with = and !=")
        result: ColumnElement[bool] = _ORDERED[node.operator](source.column, value)
        return result

    def member(self, node: s.Member) -> ColumnElement[bool]:
        source = self.source(node.field)
        singles = [self.value(node.field, source, item) for item in node.items if isinstance(item, s.Value)]
        spans = [self.span(node.field, source, item) for item in node.items if isinstance(item, s.Span)]
        if source.kind is Kind.ID:
            return or_(*(_equal(source, value) for value in singles), *spans)
        # One IN for all single values: a chain of ORs would soon be deeper than databases allow.
        return or_(*([source.column.in_(singles)] if singles else []), *spans)

    def span(self, field: s.Field, source: Source, item: s.Span) -> ColumnElement[bool]:
        if source.kind in {Kind.ID, Kind.TRUTH}:
            raise self.complaint(item.first.column, f"{field.name} has no order, so it cannot be in a range")
        return source.column.between(self.value(field, source, item.first), self.value(field, source, item.last))

    def like(self, node: s.Like) -> ColumnElement[bool]:
        source = self.source(node.field)
        if source.kind is not Kind.TEXT:
            message = f"{node.field.name} is {source.kind.value}, only texts are compared with a pattern"
            raise self.complaint(node.pattern.column, message)
        pattern = self.content(node.pattern)
        if not isinstance(pattern, str):
            raise self.complaint(node.pattern.column, f"a pattern is a text in quotes, not {pattern!r}")
        # LIKE minds the case of letters on one engine and not on the other; regular expressions mind it on both.
        return source.column.regexp_match(f"^{_glob_as_regex(pattern)}$")

    def source(self, field: s.Field) -> Source:
        source = self.subject.find(field.name)
        if source is None:
            near = did_you_mean(field.name, list(self.subject.fields))
            known = list(self.subject.fields)
            shown = near if "did you mean" in near else f"; there is {', '.join(known)}"
            message = f"there is no field '{field.name}' of {self.subject.what}{shown}"
            raise s.complaint(self.text, field.column, message, known)
        self.used_fields.add(self.subject.aliases.get(field.name, field.name))
        return source

    def content(self, value: s.Value) -> Any:
        if value.bind is None:
            return value.content
        if value.bind not in self.bind:
            given = ", ".join(f":{name}" for name in self.bind) or "none"
            raise self.complaint(value.column, f"no value was handed over for :{value.bind} (given: {given})")
        self.used_binds.add(value.bind)
        return self.bind[value.bind]

    def value(self, field: s.Field, source: Source, value: s.Value) -> Any:
        content = self.content(value)
        try:
            return _CONVERTERS[source.kind](content, source)
        except InvalidTime as problem:
            raise self.complaint(value.column, problem.message) from None
        except (TypeError, ValueError) as problem:
            reason = f": {problem}" if str(problem) else ""
            message = f"{field.name} is {source.kind.value}, not {content!r}{reason}"
            raise self.complaint(value.column, message) from None

    def complaint(self, column: int, message: str) -> QuerySyntaxError:
        return s.complaint(self.text, column, message)


def _equal(source: Source, value: Any) -> ColumnElement[bool]:
    if source.kind is Kind.ID:
        low, high = value
        return source.column.between(low, high)
    result: ColumnElement[bool] = source.column == value
    return result


def _glob_as_regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)


def _integer(content: Any, _: Source) -> int:
    if isinstance(content, bool) or not isinstance(content, int):
        raise TypeError
    if abs(content) >= LARGEST:
        raise ValueError("it is too large")
    return content


def _number(content: Any, _: Source) -> float:
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise TypeError
    return float(content)


def _text(content: Any, source: Source) -> str:
    if not isinstance(content, str):
        raise TypeError
    if not source.known:
        return content
    word = content.upper() if source.known[0].isupper() else content.lower()
    if word not in source.known:
        raise ValueError(did_you_mean(word, source.known).removeprefix("; "))
    return word


def _truth(content: Any, _: Source) -> int:
    if not isinstance(content, bool):
        raise TypeError
    return int(content)


def _day(content: Any, source: Source) -> int:
    # A number may be any: 20260231 is a fair end of February in a range.
    return parse_day(content) if isinstance(content, str) else _integer(content, source)


def _time(content: Any, _: Source) -> int:
    if isinstance(content, bool) or not isinstance(content, str | int | datetime):
        raise TypeError
    return parse_time(content)


def _id_range(content: Any, _: Source) -> tuple[UUID, UUID]:
    digits = str(content).replace("-", "").lower()
    if not isinstance(content, str | UUID) or not re.fullmatch("[0-9a-f]{1,32}", digits):
        raise ValueError
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


_CONVERTERS: dict[Kind, Callable[[Any, Source], Any]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.TRUTH: _truth,
    Kind.DAY: _day,
    Kind.TIME: _time,
    Kind.ID: _id_range,
}
