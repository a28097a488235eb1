"""Conditions on long lists of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, Uuid, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from registry.sql.tables.columns import Uid


def among(connection: Connection, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of some values; at most a chunk of them.

    PostgreSQL gets them as one array: two thousand values by themselves take it ten times as long to plan, and the
    driver as long to spell.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(_plain(column.type)), unique=True))
    return column.in_(values)


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type as the server knows it."""
    if isinstance(kind, Uid):
        return Uuid()
    return Text() if isinstance(kind, Text) else BigInteger()
