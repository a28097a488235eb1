"""Expressions that each engine spells in its own way and answers alike."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlalchemy import Boolean, ColumnElement, Double, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class in_code_points(FunctionElement[str]):  # noqa: N801 - reads as a function
    """A text that is compared letter by letter, whatever language the database was made for."""

    inherit_cache = True
    type = Text()


@compiles(in_code_points)
def _as_it_is(element: in_code_points, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(in_code_points, "postgresql")
def _with_collation(element: in_code_points, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


class apart(FunctionElement[bool]):  # noqa: N801
    """A condition in parentheses that stay: SQLAlchemy takes away those it thinks are idle, and so makes towers."""

    inherit_cache = True
    type = Boolean()


@compiles(apart)
def _in_parentheses(element: apart, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


class matches_glob(FunctionElement[bool]):  # noqa: N801
    """Whether a text fits a pattern with ``*`` (any letters) and ``?`` (one letter); the case of letters counts.

    LIKE minds the case on one engine and not on the other, so both get a regular expression. In time proportional to
    the text on both: PostgreSQL's engine never goes back, and Python's, which SQLite borrows, is told not to (a
    pattern like ``*a*a*a*a*b`` would else take for ever).
    """

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[str], pattern: str) -> None:
        super().__init__(column, literal(_python_regex(pattern), Text()), literal(_plain_regex(pattern), Text()))


@compiles(matches_glob)
def _glob_in_sqlite(element: matches_glob, compiler: SQLCompiler, **options: Any) -> str:
    column, regex, _ = (compiler.process(part, **options) for part in element.clauses)
    return f"({column} REGEXP {regex})"


@compiles(matches_glob, "postgresql")
def _glob_in_postgresql(element: matches_glob, compiler: SQLCompiler, **options: Any) -> str:
    column, _, regex = (compiler.process(part, **options) for part in element.clauses)
    return f"({column} ~ {regex})"


def _python_regex(pattern: str) -> str:
    first, *rest = map(_letters, re.split(r"\*+", pattern))
    if not rest:
        return rf"(?s)\A{first}\Z"
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return rf"(?s)\A{first}{middle}.*{rest[-1]}\Z"


def _plain_regex(pattern: str) -> str:
    parts = map(_letters, re.split(r"\*+", pattern))
    return rf"(?s)\A{'.*'.join(parts)}\Z"


def _letters(part: str) -> str:
    return "".join("." if letter == "?" else re.escape(letter) for letter in part)


class _JsonValue(FunctionElement[Any]):
    """The value of a key of a JSON object kept as text, if it is of one kind; else NULL."""

    inherit_cache = True
    sqlite: ClassVar[str]
    postgresql: ClassVar[str]

    def __init__(self, column: ColumnElement[str], key: str) -> None:
        super().__init__(column, literal(key, Text()), literal(f'$."{key}"', Text()))


class json_number(_JsonValue):  # noqa: N801
    """The value of a key where it is a number."""

    inherit_cache = True
    type = Double()
    sqlite = "CASE WHEN json_type({c}, {p}) IN ('integer', 'real') THEN CAST(json_extract({c}, {p}) AS REAL) END"
    postgresql = (
        "CASE WHEN jsonb_typeof(CAST({c} AS jsonb) -> {k}) = 'number'"
        " THEN CAST(CAST({c} AS jsonb) ->> {k} AS double precision) END"
    )


class json_text(_JsonValue):  # noqa: N801
    """The value of a key where it is a text."""

    inherit_cache = True
    type = Text()
    sqlite = "CASE WHEN json_type({c}, {p}) = 'text' THEN json_extract({c}, {p}) END"
    postgresql = "CASE WHEN jsonb_typeof(CAST({c} AS jsonb) -> {k}) = 'string' THEN CAST({c} AS jsonb) ->> {k} END"


class json_word(_JsonValue):  # noqa: N801
    """The value of a key as JSON spells it where it is true or false, else its kind; NULL if there is none."""

    inherit_cache = True
    type = Text()
    sqlite = "CASE WHEN json_type({c}, {p}) <> 'null' THEN json_type({c}, {p}) END"
    postgresql = (
        "CASE jsonb_typeof(CAST({c} AS jsonb) -> {k}) WHEN 'boolean' THEN CAST({c} AS jsonb) ->> {k}"
        " WHEN 'null' THEN NULL ELSE jsonb_typeof(CAST({c} AS jsonb) -> {k}) END"
    )


@compiles(json_number)
@compiles(json_text)
@compiles(json_word)
def _json_in_sqlite(element: _JsonValue, compiler: SQLCompiler, **options: Any) -> str:
    return _spelled(element.sqlite, element, compiler, options)


@compiles(json_number, "postgresql")
@compiles(json_text, "postgresql")
@compiles(json_word, "postgresql")
def _json_in_postgresql(element: _JsonValue, compiler: SQLCompiler, **options: Any) -> str:
    return _spelled(element.postgresql, element, compiler, options)


def _spelled(template: str, element: _JsonValue, compiler: SQLCompiler, options: dict[str, Any]) -> str:
    column, key, path = (compiler.process(part, **options) for part in element.clauses)
    column = f"nullif({column}, '')"  # the row that stands for none has no object
    # A bound value has no type of its own in PostgreSQL, and -> takes texts and numbers.
    return template.format(c=column, k=f"CAST({key} AS text)", p=path)
