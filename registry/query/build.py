"""A tree of `syntax` and a table of `fields` -> SQL, with every value bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, and_, false, func, not_, or_

from registry.errors import InvalidTime, UnknownName, did_you_mean
from registry.query import syntax as s
from registry.query.complaints import complaint
from registry.query.fields import Kind, Source, Subject, subject
from registry.query.values import UnknownWordError, converted, listed_values, plain_value, whole, words
from registry.sql.portable import apart, in_code_points, json_number, json_text, json_word, matches_glob

_ORDERED: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_UNORDERED = {Kind.ID, Kind.TRUTH}
_NUMBERS = {Kind.INTEGER, Kind.NUMBER}
MOST_VALUES = 30_000
"""SQLite takes 32766 values in a statement, PostgreSQL 65535."""
_WIDEST = 200
"""So many conditions in one AND or OR; databases read a chain as a tower, which has a greatest height."""


def condition(text: str, about: Subject, bind: Mapping[str, Any]) -> tuple[ColumnElement[bool], frozenset[str]]:
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
    builder = Builder(text, about, bind)
    built = builder.build(s.parse(text))
    builder.refuse_unused()
    return built, frozenset(builder.used_fields)


class Builder:
    """Makes SQL of trees of one text about one subject.

    Parameters
    ----------
    text
        For errors to point at.
    about
        What is asked for.
    bind
        Values of ``:name``.
    """

    def __init__(self, text: str, about: Subject, bind: Mapping[str, Any]) -> None:
        self.text, self.subject, self.bind = text, about, bind
        self.used_binds: set[str] = set()
        self.used_fields: set[str] = set()
        self._values = 0

    def refuse_unused(self) -> None:
        """Refuse values that were handed over and not asked for: a slip of the pen would go unnoticed."""
        unused = sorted(set(self.bind) - self.used_binds)
        if unused:
            message = f"the query does not use the value(s) {', '.join(unused)}"
            raise UnknownName(message, kind="bind", name=unused[0], known=sorted(self.used_binds))

    def build(self, node: s.Node) -> ColumnElement[bool]:
        """Return the condition that a tree is."""
        match node:
            case s.Or():
                return _joined(or_, [self.build(each) for each in node.conditions])
            case s.And():
                return _joined(and_, [self.build(each) for each in node.conditions])
            case s.Not():
                return _opposite(self.build(node.condition))
            case s.Absent():
                return self._absent(node)
            case s.Like():
                return self._like(node)
            case s.Member():
                return self._member(node)
            case s.Compare():
                return self._compare(node)

    def _compare(self, node: s.Compare) -> ColumnElement[bool]:
        source = self.source(node.field)
        if isinstance(node.value, s.Field):
            return self._compare_fields(node.field, source, node.operator, node.value)
        value = self._value(node.field, source, node.value)
        if node.operator in {"=", "!="}:
            same = _some(source, lambda column: _equal(source, column, value))
            return same if node.operator == "=" else _opposite(same)
        self._refuse_unordered(node.field, source, node.value.column)
        return _true(_ORDERED[node.operator](_sorted(source, _column(source, source.column, value)), value))

    def _compare_fields(self, left: s.Field, one: Source, operator: str, right: s.Field) -> ColumnElement[bool]:
        other = self.source(right, is_value=True)
        for field, source in ((left, one), (right, other)):
            if source.some is not None or source.kind is Kind.ATTRIBUTE:
                self._refuse(field.column, f"{field.name} can be compared with values, not with another field")
        if one.kind is not other.kind and not {one.kind, other.kind} <= _NUMBERS:
            message = f"{left.name} is {one.kind.value}, {right.name} is {other.kind.value}: they cannot be compared"
            self._refuse(right.column, message)
        if operator in {"=", "!="}:
            same = one.column == other.column
            return same if operator == "=" else _opposite(same)
        self._refuse_unordered(left, one, right.column)
        return _true(_ORDERED[operator](_sorted(one, one.column), _sorted(other, other.column)))

    def _member(self, node: s.Member) -> ColumnElement[bool]:
        source = self.source(node.field)
        singles = [self._value(node.field, source, item) for item in node.items if isinstance(item, s.Value)]
        for item in node.items:
            if isinstance(item, s.Several):
                singles += self._several(node.field, source, item.value)
        spans = [self._span(node.field, source, item) for item in node.items if isinstance(item, s.Span)]
        parts = [_some(source, lambda column: _one_of(source, column, singles))] if singles else []
        return _joined(or_, [*parts, *spans])

    def _several(self, field: s.Field, source: Source, value: s.Value) -> list[Any]:
        """Return the values of a list that was handed over; an empty one has no members, which is no error."""
        values = listed_values(self._content(value))
        if values is None:
            message = (
                f":{value.bind} is one value, not a list; write ({field.name} = :{value.bind}) or hand over a list"
            )
            self._refuse(value.column, message)
        self._count(value.column, len(values))
        return [self._converted(field, source, each, value.column) for each in values]

    def _span(self, field: s.Field, source: Source, item: s.Span) -> ColumnElement[bool]:
        self._refuse_unordered(field, source, item.first.column)
        first, last = (self._value(field, source, end) for end in (item.first, item.last))
        if type(first) is not type(last):
            self._refuse(item.last.column, f"a range is from like to like, not from {first!r} to {last!r}")
        column = _sorted(source, _column(source, source.column, first))
        inside = column.between(first, last)
        if item.stride is None:
            return inside
        if source.kind not in {Kind.INTEGER, Kind.DAY}:
            self._refuse(item.stride.column, f"{field.name} is {source.kind.value}, only whole numbers have a stride")
        stride = item.stride.content
        if not isinstance(stride, int) or stride < 1:
            self._refuse(item.stride.column, f"a stride is a whole number from 1, not {stride!r}")
        # Of negative numbers the remainder is negative on both engines; the difference could be too large for either.
        rest = first % whole(stride)
        return and_(inside, (column % stride).in_([rest, rest - stride]))

    def _like(self, node: s.Like) -> ColumnElement[bool]:
        source = self.source(node.field)
        if source.kind not in {Kind.TEXT, Kind.ATTRIBUTE}:
            message = f"{node.field.name} is {source.kind.value}, only texts are compared with a pattern"
            self._refuse(node.pattern.column, message)
        pattern = plain_value(self._content(node.pattern))
        try:
            glob = words(pattern)
        except (TypeError, ValueError):
            self._refuse(node.pattern.column, f"a pattern is a text in quotes, not {_shown(pattern)}")
        self._count(node.pattern.column, 1)
        return _some(source, lambda column: matches_glob(_column(source, column, ""), glob))

    def _absent(self, node: s.Absent) -> ColumnElement[bool]:
        source = self.source(node.field)
        if source.some is not None:
            return not_(source.some(lambda column: column.is_not(None)))
        if source.key is not None:
            return json_word(source.column, source.key).is_(None)
        return source.column.is_(None)

    def source(self, field: s.Field, *, is_value: bool = False) -> Source:
        """Return the field of a name, or refuse the name with those that are near."""
        source = self.subject.find(field.name)
        if source is None:
            known = list(self.subject.names)
            near = did_you_mean(field.name, known)
            shown = near if "did you mean" in near else f"; there is {', '.join(self.subject.fields)}"
            message = f"there is no field '{field.name}' of {self.subject.what}"
            if subject("datasets").find(field.name) is not None:
                shown = "; datasets have one: ask for datasets (those with type = 'raw' are what was observed)"
            elif is_value:
                shown = f"; texts are written in quotes: '{field.name}'{near if 'did you mean' in near else ''}"
            raise complaint(self.text, field.column, message + shown, known)
        self.used_fields.add(self.subject.canonical(field.name))
        return source

    def _content(self, value: s.Value) -> Any:
        if value.bind is None:
            return value.content
        if value.bind not in self.bind:
            given = ", ".join(f":{name}" for name in self.bind) or "none"
            near = did_you_mean(value.bind, list(self.bind)) if len(self.bind) > 1 else ""
            near = near if "did you mean" in near else ""
            self._refuse(value.column, f"no value was handed over for :{value.bind} (given: {given}){near}")
        self.used_binds.add(value.bind)
        return self.bind[value.bind]

    def _value(self, field: s.Field, source: Source, value: s.Value) -> Any:
        content = self._content(value)
        if value.bind is not None and listed_values(content) is not None:
            self._refuse(value.column, f":{value.bind} is a list; write {field.name} in :{value.bind}")
        self._count(value.column, 1)
        return self._converted(field, source, content, value.column)

    def _converted(self, field: s.Field, source: Source, content: Any, column: int) -> Any:
        try:
            return converted(content, source)
        except InvalidTime as problem:
            self._refuse(column, problem.message)
        except UnknownWordError as problem:
            self._refuse(column, f"there is no {field.name} {_shown(content)}{problem}")
        except (TypeError, ValueError) as problem:
            reason = f": {problem}" if str(problem) else ""
            self._refuse(column, f"{field.name} is {source.kind.value}, not {_shown(content)}{reason}")

    def _count(self, column: int, more: int) -> None:
        self._values += more
        if self._values > MOST_VALUES:
            message = f"the query has more than {MOST_VALUES} values; write ranges, or ask several times"
            self._refuse(column, message)

    def _refuse_unordered(self, field: s.Field, source: Source, column: int) -> None:
        if source.kind in _UNORDERED or source.some is not None:
            self._refuse(column, f"{field.name} has no order: it is compared with = and !=, or with in (a, b)")

    def _refuse(self, column: int, message: str) -> NoReturn:
        raise complaint(self.text, column, message)


def _joined(how: Callable[..., ColumnElement[bool]], parts: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Join conditions, many of them in groups of groups."""
    if not parts:
        return false()
    while len(parts) > _WIDEST:
        parts = [apart(how(*parts[i : i + _WIDEST])) for i in range(0, len(parts), _WIDEST)]
    return how(*parts)


def _opposite(built: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(func.coalesce(built, false()))


def _true(built: Any) -> ColumnElement[bool]:
    result: ColumnElement[bool] = built
    return result


def _some(source: Source, test: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Ask the value of a field, or any of its values."""
    return test(source.column) if source.some is None else source.some(test)


def _column(source: Source, column: ColumnElement[Any], value: Any) -> ColumnElement[Any]:
    """Return what is compared with a value; of what a JSON object says, only values of the same kind."""
    if source.key is None:
        return column
    if isinstance(value, bool):
        return json_word(column, source.key)
    return json_text(column, source.key) if isinstance(value, str) else json_number(column, source.key)


def _sorted(source: Source, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as it is compared with < and >: texts letter by letter."""
    is_text = source.kind is Kind.TEXT or isinstance(column, json_text)
    return in_code_points(column) if is_text else column


def _equal(source: Source, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    if source.kind is Kind.ID:
        return column.between(*value)
    if source.key is not None and isinstance(value, bool):
        return _true(_column(source, column, value) == str(value).lower())
    return _true(_column(source, column, value) == value)


def _one_of(source: Source, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    if source.kind is Kind.ID:
        return _joined(or_, [_equal(source, column, value) for value in values])
    if source.kind is not Kind.ATTRIBUTE:
        # One IN for all single values: a chain of ORs would soon be deeper than databases allow.
        return column.in_(values)
    kinds = {kind: [value for value in values if type(value) is kind] for kind in {type(value) for value in values}}
    kinds = {kind: [str(v).lower() for v in found] if kind is bool else found for kind, found in kinds.items()}
    return or_(*(_column(source, column, kind()).in_(found) for kind, found in kinds.items()))


def _shown(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}..."
