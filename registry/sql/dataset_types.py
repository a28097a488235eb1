"""Dataset types: what identifies a dataset and how it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from sqlalchemy import Connection, func, select, update

from registry.dimensions import DIMENSIONS
from registry.errors import ConflictError, UnknownName
from registry.refs import DatasetType, OnMissing
from registry.sql import tables as t
from registry.sql.bulk import insert_rows
from registry.sql.events import append_event

_MODE_BIT = 1 << len(DIMENSIONS)


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
    # Whether modes are matched is the repository's choice; a program that says nothing of it does not contradict.
    changed = [(old, new) for old, new in changed if old not in {new, replace(new, matches_mode=True)}]
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
                "dimensions": _bits(type_),
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
        raise UnknownName(kind="dataset type", name=name, known=list(known), fix="isrflow policy list")
    return known[name]


def match_modes(connection: Connection, name: str, *, actor: str = "", reason: str = "") -> int | None:
    """Let a calibration type be matched by readout mode from now on; return the event, None if it is already.

    Raises
    ------
    UnknownName
        If there is no such type.
    ConflictError
        If it is no calibration, or some of it was certified already: those would silently serve no exposure any more;
        or if there is some, and contexts were frozen, which must give the same for ever.
    """
    row = type_row(connection, name)
    if row.type.matches_mode:
        return None
    if not row.type.is_calibration:
        raise ConflictError(f"{name} is not a type of calibrations; nothing is matched with it", conflicts=[name])
    v = t.calib_validity.c
    certified = connection.execute(select(func.count()).select_from(t.calib_validity).where(v.type_id == row.id))
    n_certified = certified.scalar_one()
    if n_certified:
        raise ConflictError(
            f"{n_certified} ranges of {name} were certified without a readout mode; they would serve nothing any more",
            conflicts=[name],
            fix="let a new repository match modes, before anything of that type is certified there",
        )
    made = select(func.count()).select_from(t.dataset).where(t.dataset.c.type_id == row.id)
    frozen = list(connection.execute(select(t.context.c.name).order_by(t.context.c.id)).scalars())
    if frozen and connection.execute(made).scalar_one():
        raise ConflictError(
            f"contexts were frozen ({', '.join(frozen)}) that may find {name} in a run or tag, of any mode; they must "
            "not find others now",
            conflicts=frozen,
            fix="let a new repository match modes, before anything of that type is made there",
        )
    seq = append_event(connection, "match-mode", actor=actor, reason=reason, payload={"type": name})
    new = _bits(replace(row.type, matches_mode=True))
    connection.execute(update(t.dataset_type).where(t.dataset_type.c.id == row.id).values(dimensions=new))
    return seq


def _bits(type_: DatasetType) -> int:
    """Return the dimensions as bits; one more says that readout modes are matched."""
    mode = _MODE_BIT if type_.matches_mode else 0
    return mode | sum(1 << DIMENSIONS.index(name) for name in type_.dimensions)


def _type(name: str, dimensions: int, formatter: str, is_calibration: int, on_missing: str) -> DatasetType:
    """Make the record from its columns."""
    names = tuple(dimension for i, dimension in enumerate(DIMENSIONS) if dimensions >> i & 1)
    kind = cast("OnMissing", on_missing)
    return DatasetType(name, names, formatter, bool(is_calibration), kind, bool(dimensions & _MODE_BIT))
