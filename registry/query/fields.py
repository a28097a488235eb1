"""What a field is: the SQL it stands for, the values it has, the names it answers to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, FromClause

from registry.errors import UnknownName

What = Literal["exposures", "datasets", "collections", "quanta"]
_KEY = re.compile(r"[^\W\d][\w-]*")
Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""From a value to a condition on it."""


class Kind(Enum):
    """What values a field has, as errors call them."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    TEXT = "a text in quotes"
    TRUTH = "true or false"
    DAY = "a day, 20260302 or '2026-03-02'"
    TIME = "a time in UTC, '2026-03-02T12:00:00'"
    ID = "the first digits of an id, '1a2b3c4d'"
    ATTRIBUTE = "a number, a text in quotes, true or false"


@dataclass(frozen=True, slots=True)
class Source:
    """A field: the SQL it stands for, what values it has, and, where there are few, which."""

    column: ColumnElement[Any]
    kind: Kind = Kind.TEXT
    known: tuple[str, ...] = ()
    unit: str | None = None
    """As astropy spells it."""
    some: Callable[[Test], ColumnElement[bool]] | None = None
    """Of a field with any number of values: the condition that one of them fulfils a test."""
    key: str | None = None
    """Of a field within a JSON object, which is in `column`: its key."""


@dataclass(frozen=True)
class Subject:
    """A thing that can be queried: its joined tables, its fields by name, and its natural order.

    What does not apply (the filter of a bias, the exposure of a master) is NULL in every field.
    """

    what: What
    tables: FromClause
    row: Column[int]
    """Grows with every row that is added."""
    fields: Mapping[str, Source]
    order: tuple[str, ...]
    """Ends with a field that tells rows apart."""
    shown: tuple[str, ...]
    """The fields that a table for people has."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, ColumnElement[str]] = field(default_factory=dict)
    """JSON objects whose keys are fields: ``attrs.airmass``."""

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Every name that is understood, with that of the field it means."""
        return {name: name for name in self.fields} | dict(self.aliases)

    def canonical(self, name: str) -> str:
        """Return the one name of a field; an unknown name is returned as it is."""
        return self.names.get(name, name.removeprefix("exposure.") if self._object(name) else name)

    def find(self, name: str) -> Source | None:
        """Return a field by its name or one of its aliases; ``exposure.day_obs`` is ``day_obs``."""
        if name in self.names:
            return self.fields[self.names[name]]
        holder = self._object(name)
        if holder is None:
            return None
        return Source(self.objects[holder], Kind.ATTRIBUTE, key=name.removeprefix("exposure.").partition(".")[2])

    def _object(self, name: str) -> str | None:
        holder, _, key = name.removeprefix("exposure.").partition(".")
        return holder if holder in self.objects and _KEY.fullmatch(key) else None


def subject(what: What) -> Subject:
    """Return the table of fields for one of the four things; `UnknownName` for anything else."""
    from registry.query.subjects import SUBJECTS

    if what not in SUBJECTS:
        raise UnknownName(kind="table to query", name=what, known=list(SUBJECTS))
    return SUBJECTS[what]
