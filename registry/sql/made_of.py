"""What was made of raws: products by run, and masters of raws that were flagged bad only afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, func, or_, select

from registry.refs import DataId, DatasetRef
from registry.sql import tables as t
from registry.sql.bulk import chunks
from registry.sql.datasets import dataset_rows, refs_by_row, refs_by_uuid
from registry.sql.flags import FlagRow, flags_of
from registry.sql.noted_targets import Place
from registry.sql.quantum_notes import headers_of
from registry.sql.remembered import counts, is_any


@dataclass(frozen=True, slots=True)
class Made:
    """How many datasets of a type a run holds that were made of certain raws."""

    run: str
    type: str
    number: int
    is_calibration: bool

    def render(self) -> str:
        """Say it."""
        return f"{self.number} {self.type} in {self.run}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": self.run, "type": self.type, "number": self.number, "is_calibration": self.is_calibration}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A calibration that was made of raws flagged bad, and, if it is not used itself, the one it went into."""

    ref: DatasetRef
    through: DatasetRef | None
    raws: tuple[tuple[DatasetRef, FlagRow], ...]


def made_of(
    connection: Connection, places: Iterable[Place], counts_if: Callable[[Mapping[str, Any]], bool] | None = None
) -> list[Made]:
    """Return what was published that read, as data, what is at these places; calibrations first.

    Parameters
    ----------
    places
        Exposures, on a detector each or on all.
    counts_if
        Told which cards of the raw were corrected when it was read, says whether that product is meant; all are if
        not given.
    """
    at = set(places)
    whole = {exposure for exposure, detector in at if detector == t.NOT_APPLICABLE}
    source, made = t.dataset.alias("source"), t.dataset.alias("made")
    i, o = t.quantum_input.c, t.quantum_output.c
    query = (
        select(source.c.exposure_id, source.c.detector_id, made.c.id, t.collection.c.name, t.dataset_type.c.name)
        .add_columns(t.dataset_type.c.is_calibration, i.quantum_id, i.role)
        .join_from(source, t.quantum_input, i.dataset_id == source.c.id)
        .join(t.quantum_output, o.quantum_id == i.quantum_id)
        .join(made, made.c.id == o.dataset_id)
        .join(t.collection, t.collection.c.id == made.c.run_id)
        .join(t.dataset_type, t.dataset_type.c.id == made.c.type_id)
        .where(made.c.status.in_(("LIVE", "MISSING")))
    )
    found: list[tuple[int, int, str, tuple[int, str, str]]] = []
    for some in chunks(sorted({exposure for exposure, _ in at})):
        rows = connection.execute(query.where(source.c.exposure_id.in_(some)))
        for exposure, detector, id_, run, kind, is_calib, quantum, role in rows:
            if exposure in whole or (exposure, detector) in at:
                found.append((id_, quantum, role, (-is_calib, run, kind)))
    if counts_if is not None:
        cards = headers_of(connection, {quantum for _, quantum, _, _ in found})
        nothing: Mapping[str, Any] = {}
        found = [one for one in found if counts_if(cards.get(one[1], nothing).get(one[2], nothing))]
    kinds = Counter({id_: kind for id_, _, _, kind in found}.values())
    return [Made(run, kind, n, bool(minus)) for (minus, run, kind), n in sorted(kinds.items())]


def flagged_inputs(
    connection: Connection, datasets: Iterable[UUID], as_of: int | None = None
) -> dict[UUID, list[tuple[DatasetRef, FlagRow]]]:
    """Return, of datasets, the raws they were made of that are flagged bad; those without any are left out."""
    if not is_any(connection, t.quality_flag, as_of):
        return {}
    rows = dataset_rows(connection, datasets)
    d, i, o, f = t.dataset.c, t.quantum_input.c, t.quantum_output.c, t.quality_flag.c
    here = or_(f.detector_id == t.NOT_APPLICABLE, f.detector_id == d.detector_id)
    query = (
        select(o.dataset_id, d.id)
        .join_from(t.quantum_output, t.quantum_input, i.quantum_id == o.quantum_id)
        .join(t.dataset, d.id == i.dataset_id)
        .join(t.quality_flag, and_(f.exposure_id == d.exposure_id, here))
        .where(f.flag == "bad", counts(t.quality_flag, as_of))
        .distinct()
    )
    pairs = [
        tuple(row)
        for some in chunks(sorted(rows.values()))
        for row in connection.execute(query.where(o.dataset_id.in_(some)).order_by(o.dataset_id, d.id))
    ]
    raws = refs_by_row(connection, [raw for _, raw in pairs])
    flags = flags_of(connection, [ref.data_id for ref in raws.values()], as_of)
    uuid_of = {row: uuid for uuid, row in rows.items()}
    found: dict[UUID, list[tuple[DatasetRef, FlagRow]]] = {}
    for made, raw in pairs:
        ref = raws[raw]
        found.setdefault(uuid_of[made], []).append((ref, _worst(flags, ref.data_id)))
    return found


def doubts(connection: Connection, datasets: Iterable[UUID]) -> list[Doubt]:
    """Return the calibrations among datasets, and behind them, that were made of raws which are flagged bad now."""
    if not is_any(connection, t.quality_flag, None):
        return []
    used = set(datasets)
    behind = {ref.id: child for ref, child in calibs_behind(connection, used).items() if ref.id not in used}
    flagged = flagged_inputs(connection, used | set(behind))
    refs = refs_by_uuid(connection, flagged)
    found = [Doubt(refs[id_], behind.get(id_), tuple(raws)) for id_, raws in flagged.items()]
    return sorted(found, key=lambda one: (one.ref.type, one.ref.data_id, one.ref.id))


def calibs_behind(connection: Connection, datasets: Iterable[UUID]) -> dict[DatasetRef, DatasetRef]:
    """Return the calibrations that datasets were made with, all the way back, each with one that it went into."""
    q, o, m = t.quantum.c, t.quantum_output.c, t.calib_set_member.c
    query = (
        select(m.dataset_id, func.min(o.dataset_id))
        .join_from(t.quantum_output, t.quantum, q.id == o.quantum_id)
        .join(t.calib_set_member, m.set_id == q.calib_set_id)
        .group_by(m.dataset_id)
    )
    todo = set(dataset_rows(connection, datasets).values())
    behind: dict[int, int] = {}
    seen = set(todo)
    while todo:
        found: dict[int, int] = {}
        for some in chunks(sorted(todo)):
            for parent, child in connection.execute(query.where(o.dataset_id.in_(some))):
                found.setdefault(parent, child)
        behind |= {parent: child for parent, child in found.items() if parent not in behind}
        todo = set(found) - seen
        seen |= todo
    refs = refs_by_row(connection, {*behind, *behind.values()})
    return {refs[parent]: refs[child] for parent, child in behind.items()}


def _worst(flags: dict[DataId, list[FlagRow]], data_id: DataId) -> FlagRow:
    return flags[data_id.subset(("exposure", "detector"))][0]
