"""Why a query answers nothing: which condition alone does, which two together, and what exists that is nearest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from registry.errors import did_you_mean
from registry.query import syntax as s
from registry.query.build import Builder
from registry.query.fields import Kind, Source, Subject, What, subject
from registry.query.run import base_conditions
from registry.query.spelling import spell
from registry.query.values import converted
from registry.sql import tables as t
from registry.times import format_time

_ENOUGH = 10_000
"""Counting stops here: that it is very many is all that matters."""
_ORDERED = {Kind.INTEGER, Kind.NUMBER, Kind.DAY, Kind.TIME}


@dataclass(frozen=True, slots=True)
class ConditionCount:
    """A condition of a query: how many rows it selects alone (at most 10,000 are counted), and what is near if none."""

    text: str
    alone: int
    hint: str = ""


@dataclass(frozen=True, slots=True)
class EmptyAnswer:
    """Why a query answers nothing, or how much each of its conditions leaves."""

    what: What
    where: str
    matches: int
    total: int
    """How many there are at all."""
    conditions: tuple[ConditionCount, ...]
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs of conditions that each select something, but nothing together."""
    hidden: Mapping[str, int] | None = None
    """What would be selected but cannot be used, by status."""

    def render(self) -> str:
        """Return the explanation as text."""
        lines = [f"{self._number(self.matches) if self.matches else 'no'} {self.what} match"]
        if not self.total:
            return f"{lines[0]}: there are none at all"
        if self.hidden:
            spoken = ", ".join(f"{count} {status}" for status, count in self.hidden.items())
            names = ", ".join(f"'{status}'" for status in self.hidden)
            lines.append(f"  {spoken} would, but cannot be used; to see them add: and status in ({names})")
        if self.matches:
            return "\n".join([*lines, *self._counted()])
        alone = [each for each in self.conditions if not each.alone]
        lines += [f"  nothing has {each.text}{each.hint}" for each in alone]
        lines += [f"  there is {one}, and there is {two}, but not together" for one, two in self.apart]
        if not alone and not self.apart and not self.hidden:
            lines.append("  every two of the conditions go together, but not all of them")
        return "\n".join([*lines, *(self._counted() if len(self.conditions) > 1 else ())])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "what": self.what,
            "where": self.where,
            "matches": self.matches,
            "total": self.total,
            "conditions": [
                {"condition": c.text, "alone": c.alone, "hint": c.hint.removeprefix("; ")} for c in self.conditions
            ],
            "apart": [list(pair) for pair in self.apart],
            "hidden": dict(self.hidden or {}),
        }

    def _counted(self) -> list[str]:
        return [f"    {self._number(each.alone):>8}  {each.text}" for each in self.conditions]

    @staticmethod
    def _number(count: int) -> str:
        return f"{count}+" if count >= _ENOUGH else str(count)


def explain_empty(
    connection: Connection, what: What, where: str = "", *, bind: Mapping[str, Any] | None = None
) -> EmptyAnswer:
    """Say how many rows each condition of a query selects alone, and, where it is none, what is nearest.

    Raises
    ------
    QuerySyntaxError, UnknownName
        If the condition cannot be read.
    """
    about = subject(what)
    builder = Builder(where, about, bind or {})
    parts = s.conjuncts(s.parse(where)) if where.strip() else ()
    built = [builder.build(part) for part in parts]
    builder.refuse_unused()
    asking = _Asking(connection, about, base_conditions(about, builder.used_fields))
    alone = [asking.count(each) for each in built]
    counted = tuple(
        ConditionCount(spell(part), count, "" if count else asking.hint(builder, part))
        for part, count in zip(parts, alone, strict=True)
    )
    matches = asking.count(*built)
    apart: tuple[tuple[str, str], ...] = ()
    if not matches and all(alone):
        pairs = combinations(range(len(parts)), 2)
        apart = tuple((counted[i].text, counted[j].text) for i, j in pairs if not asking.any(built[i], built[j]))
    hidden = None if matches else asking.hidden(built)
    return EmptyAnswer(what, where, matches, asking.count(), counted, apart, hidden)


@dataclass(frozen=True, slots=True)
class _Asking:
    connection: Connection
    about: Subject
    base: Sequence[ColumnElement[bool]]

    def count(self, *where: ColumnElement[bool]) -> int:
        some = select(self.about.row).select_from(self.about.tables).where(*self.base, *where).limit(_ENOUGH)
        return int(self.connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())

    def any(self, *where: ColumnElement[bool]) -> bool:
        query = select(self.about.row).select_from(self.about.tables).where(*self.base, *where).limit(1)
        return self.connection.execute(query).first() is not None

    def hidden(self, where: Sequence[ColumnElement[bool]]) -> dict[str, int]:
        """Count what only its status keeps out."""
        if self.about.what != "datasets" or not self.base:
            return {}
        status = t.dataset.c.status
        query = select(status, func.count()).select_from(self.about.tables).where(*where)
        return {row[0]: row[1] for row in self.connection.execute(query.group_by(status).order_by(status))}

    def hint(self, builder: Builder, node: s.Node) -> str:
        """Return what exists that is nearest to a condition that nothing fulfils."""
        if not isinstance(node, s.Compare | s.Member | s.Like | s.Absent):
            return ""
        source = builder.source(node.field)
        if source.key is not None:
            return self._keys_near(source)
        if source.known or source.kind not in {Kind.TEXT, *_ORDERED} or isinstance(node, s.Absent):
            return ""
        values = _values(builder, node)
        if source.kind is Kind.TEXT:
            known = self._distinct(source)
            return did_you_mean(values[0], known) if values and known else "" if known else "; nothing has one"
        return self._nearest(source, values)

    def _distinct(self, source: Source) -> list[str]:
        if source.some is not None:
            query = select(t.collection.c.name)
        else:
            query = select(source.column).select_from(self.about.tables).where(*self.base, source.column.is_not(None))
        return [row[0] for row in self.connection.execute(query.distinct().limit(_ENOUGH))]

    def _nearest(self, source: Source, values: Sequence[Any]) -> str:
        """Return the neighbours of a value, or the range of all there is."""
        column, value = source.column, values[0] if values else None
        below, above = func.max(column), func.min(column)
        query = select(func.min(column), func.max(column)).select_from(self.about.tables).where(*self.base)
        first, last = self.connection.execute(query).one()
        if first is None:
            return "; nothing has one"
        if value is None or not first < value < last:
            return f"; there is {_shown(source, first)} to {_shown(source, last)}"
        near = [
            self.connection.execute(select(end).select_from(self.about.tables).where(*self.base, side)).scalar_one()
            for end, side in ((below, column < value), (above, column > value))
        ]
        return f"; the nearest are {_shown(source, near[0])} and {_shown(source, near[1])}"

    def _keys_near(self, source: Source) -> str:
        """Return the keys that the newest rows have."""
        query = select(source.column).select_from(self.about.tables).where(*self.base, source.column.is_not(None))
        rows = self.connection.execute(query.order_by(self.about.row.desc()).limit(200)).scalars()
        found = [json.loads(text) for text in rows if text]
        keys = sorted({key for one in found if isinstance(one, dict) for key in one})
        if source.key in keys:
            example = next(one[source.key] for one in found if source.key in one)
            return f"; there is, for example, {json.dumps(example)}"
        return did_you_mean(str(source.key), keys) if keys else "; nothing was noted of any"


def _values(builder: Builder, node: s.Node) -> list[Any]:
    """Return the values that a condition compares with, as its column holds them."""
    match node:
        case s.Compare(value=s.Value() as value):
            wanted = [value]
        case s.Member():
            wanted = [i.first if isinstance(i, s.Span) else i for i in node.items if not isinstance(i, s.Several)]
        case s.Like():
            wanted = [node.pattern]
        case _:
            wanted = []
    source = builder.source(node.field) if isinstance(node, s.Compare | s.Member | s.Like) else None
    contents = [builder.bind[v.bind] if v.bind is not None else v.content for v in wanted]
    return [converted(content, source) for content in contents] if source is not None else []


def _shown(source: Source, value: Any) -> str:
    if source.kind is Kind.TIME:
        return f"'{format_time(value)}'"
    return str(value)
