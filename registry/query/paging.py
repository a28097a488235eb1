"""Sorting, and pages: the next one begins after the values that the last row was sorted by.

A page token holds those values, the newest row there was when the first page was asked for (what is added later is on
no page), and a hash of the query, so that it fits no other. Asking again with the same token gives the same page.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_

from registry.canonical import sha256_text
from registry.errors import UnknownName, UserError
from registry.query.fields import Kind, Source, Subject
from registry.query.values import LARGEST
from registry.sql.portable import in_code_points


@dataclass(frozen=True, slots=True)
class Sorting:
    """One field that rows are sorted by."""

    name: str
    source: Source
    downwards: bool

    @property
    def column(self) -> ColumnElement[Any]:
        """What is sorted: texts letter by letter, the same on every engine."""
        return in_code_points(self.source.column) if self.source.kind is Kind.TEXT else self.source.column

    @property
    def clause(self) -> ColumnElement[Any]:
        """The ORDER BY; what is not known comes before everything else."""
        return self.column.desc().nulls_last() if self.downwards else self.column.asc().nulls_first()

    def after(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row comes after all with this value."""
        if value is None:
            return false() if self.downwards else self.source.column.is_not(None)
        if self.downwards:
            return or_(self.column < value, self.source.column.is_(None))
        return _as_condition(self.column > value)

    def same(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row has this value."""
        return self.source.column.is_(None) if value is None else _as_condition(self.source.column == value)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins: after the row with these values, among rows up to `newest`."""

    newest: int
    after: tuple[Any, ...] | None = None


def sortings(about: Subject, order_by: Sequence[str]) -> list[Sorting]:
    """Return what to sort by: what was asked for (``-name`` for downwards), then the natural order, each once.

    Raises
    ------
    UnknownName
        If there is no such field, or it cannot be sorted by.
    """
    found: dict[str, Sorting] = {}
    for wanted in [*order_by, *about.order]:
        name = wanted.removeprefix("-")
        source = about.find(name)
        sortable = [each for each, one in about.fields.items() if one.some is None]
        if source is None or source.some is not None or source.key is not None:
            message = f"{about.what} cannot be sorted by {name}" if source is not None else ""
            raise UnknownName(message, kind=f"field of {about.what}", name=name, known=sortable)
        name = about.canonical(name)
        found.setdefault(name, Sorting(name, source, wanted.startswith("-")))
    return list(found.values())


def beyond(order: Sequence[Sorting], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after one with these values."""
    first, value = order[0], values[0]
    if len(order) == 1:
        return first.after(value)
    return or_(first.after(value), and_(first.same(value), beyond(order[1:], values[1:])))


def fingerprint(what: str, where: str, bind: Mapping[str, Any], order: Sequence[Sorting]) -> str:
    """Return a short hash of a query."""
    asked = [what, where.split(), sorted((k, repr(v)) for k, v in bind.items()), [(o.name, o.downwards) for o in order]]
    return sha256_text(json.dumps(asked))[:12]


def write_token(query: str, page: Page) -> str:
    """Return the token of a page, one word that can stand in a shell or a URL."""
    values = [value.hex if isinstance(value, UUID) else value for value in page.after or ()]
    return base64.urlsafe_b64encode(json.dumps([query, page.newest, values]).encode()).decode().rstrip("=")


def read_token(token: str, query: str, order: Sequence[Sorting]) -> Page:
    """Return the page that a token stands for.

    Raises
    ------
    UserError
        If it is no token, or that of another query.
    """
    try:
        found, newest, values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        page = Page(_checked_whole(newest), tuple(_checked(v, o) for v, o in zip(values, order, strict=True)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        found, page = None, Page(0)
    if found != query:
        what = "is not the page of any query" if found is None else "belongs to another query"
        fix = "ask with the same condition, values and order as for the page before, or leave out the page"
        raise UserError(f"the page '{token[:40]}' {what}", fix=fix)
    return page


def _checked(value: Any, order: Sorting) -> Any:
    """Insist on a value that the field can have."""
    if value is None:
        return None
    if order.source.kind is Kind.ID:
        return UUID(value)
    if order.source.kind is Kind.TEXT:
        return _checked_text(value)
    if order.source.kind is Kind.NUMBER and isinstance(value, float):
        return value
    return _checked_whole(value)


def _checked_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _checked_whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -LARGEST <= value < LARGEST:
        raise TypeError
    return value


def _as_condition(built: Any) -> ColumnElement[bool]:
    result: ColumnElement[bool] = built
    return result
