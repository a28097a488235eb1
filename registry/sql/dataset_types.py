"""Dataset types: what identifies a dataset and how it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, select

from registry.dimensions import DIMENSIONS
from registry.errors import ConflictError, UnknownName
from registry.refs import DatasetType, OnMissing
from registry.sql import tables as t
from registry.sql.bulk import insert_rows


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A registered dataset type and its row."""

    id: int
    type: DatasetType


def register_dataset_types(connection: Connection, types: Sequence[DatasetType]) -> None:
    """Add dataset types; those that exist must be the same.

    Raises
    ------
    ConflictError
        If any exists with other properties; all that differ are listed and nothing is stored.
    """
    known = dataset_types(connection)
    changed = [(known[type_.name].type, type_) for type_ in types if type_.name in known]
    changed = [(old, new) for old, new in changed if old != new]
    if changed:
        lines = "\n".join(f"  {old}\n  -> {new}" for old, new in changed)
        message = f"dataset types already registered with other properties; nothing was stored:\n{lines}"
        raise ConflictError(message, conflicts=[new for _, new in changed])
    new_types = {type_.name: type_ for type_ in types if type_.name not in known}
    insert_rows(
        connection,
        t.dataset_type,
        [
            {
                "name": type_.name,
                "dimensions": sum(1 << DIMENSIONS.index(name) for name in type_.dimensions),
                "formatter": type_.formatter,
                "is_calibration": int(type_.is_calibration),
                "on_missing": type_.on_missing,
            }
            for type_ in new_types.values()
        ],
    )


def dataset_types(connection: Connection) -> dict[str, TypeRow]:
    """Return all dataset types by name."""
    c = t.dataset_type.c
    query = select(c.id, c.name, c.dimensions, c.formatter, c.is_calibration, c.on_missing).order_by(c.name)
    return {row.name: TypeRow(row.id, _type(*row[1:])) for row in connection.execute(query)}


def type_row(connection: Connection, name: str) -> TypeRow:
    """Return a dataset type.

    Raises
    ------
    UnknownName
        If it is not registered.
    """
    known = dataset_types(connection)
    if name not in known:
        raise UnknownName(kind="dataset type", name=name, known=list(known))
    return known[name]


def _type(name: str, dimensions: int, formatter: str, is_calibration: int, on_missing: str) -> DatasetType:
    """Make the record from its columns."""
    names = tuple(dimension for i, dimension in enumerate(DIMENSIONS) if dimensions >> i & 1)
    return DatasetType(name, names, formatter, bool(is_calibration), cast("OnMissing", on_missing))
