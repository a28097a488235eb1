"""For which nights, filters and detectors there are calibrations: certified, by way of a fallback, or not at all."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select, union

from registry.dimensions import ExposureRecord
from registry.questions.whatif import View, Want
from registry.refs import DataId
from registry.remedies import obtain
from registry.resolution import Missing, Resolution, spell_numbers
from registry.sql import tables as t
from registry.sql.dataset_types import dataset_types
from registry.sql.standpoint import standpoint
from registry.sql.targets import load_targets
from registry.sql.validity_rows import visible
from registry.words import count

State = Literal["certified", "fallback", "absent", "missing"]
STATES: tuple[State, ...] = ("certified", "fallback", "absent", "missing")
"""From the best to the worst; ``absent`` is a calibration that is not there and not required."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How the exposures of a night through a filter stand on a detector, for one type of calibration."""

    night: int
    type: str
    physical_filter: str | None
    """None if the type does not depend on it."""
    detector: int | None
    """None if the type does not depend on it."""
    state: State
    """The worst of the night."""
    exposure: int
    """One that stands so."""
    detail: str = ""
    """Why it is missing, or how the fallback was found."""


@dataclass(frozen=True)
class Coverage:
    """The answer of `coverage`."""

    cells: tuple[Cell, ...]
    collections: tuple[str, ...]
    standpoint: str = ""
    """Options that ask from the same standpoint, if that is not here and now; what is past or frozen stays so."""

    @property
    def nights(self) -> tuple[int, ...]:
        """All nights asked about."""
        return tuple(sorted({cell.night for cell in self.cells}))

    @property
    def columns(self) -> tuple[tuple[str, str | None], ...]:
        """Type and filter of everything asked about."""
        return tuple(
            sorted({(cell.type, cell.physical_filter) for cell in self.cells}, key=lambda c: (c[0], c[1] or ""))
        )

    @property
    def is_complete(self) -> bool:
        """Say whether nothing that is required is missing anywhere."""
        return not any(cell.state == "missing" for cell in self.cells)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a night, one column a type and filter."""
        found: defaultdict[tuple[int, str], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            found[cell.night, spell_column(cell.type, cell.physical_filter)].append(cell)
        names = [spell_column(*column) for column in self.columns]
        return [
            {"night": night} | {name: _word(found.get((night, name), [])) for name in names} for night in self.nights
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "collections": list(self.collections),
            "complete": self.is_complete,
            "cells": [{name: getattr(cell, name) for name in Cell.__dataclass_fields__} for cell in self.cells],
        }

    def notes(self) -> list[str]:
        """Return a line for everything that is missing or a fallback, and the next command."""
        groups: defaultdict[tuple[State, str, str | None, str], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            if cell.state in {"missing", "fallback"}:
                groups[cell.state, cell.type, cell.physical_filter, cell.detail].append(cell)
        lines = []
        for (state, kind, physical_filter, detail), some in groups.items():
            nights = spell_nights(cell.night for cell in some)
            detectors = spell_numbers(cell.detector for cell in some if cell.detector is not None)
            where = f"nights {nights}" + (f", detectors {detectors}" if detectors else "")
            lines.append(f"{state}: {spell_column(kind, physical_filter)} of {where}: {detail}")
            if state == "missing":
                where = f"{some[0].exposure} {some[0].detector or 0} {kind}"
                lines.append(f"  why: isrflow explain {where}{self.standpoint}")
                lines += [] if self.standpoint else [f"  mend: {obtain(kind, some[0].night)}"]
        return lines

    def render(self) -> str:
        """Return the answer as text, columns separated by tabs."""
        if not self.cells:
            return "no exposures to be covered"
        rows = self.rows()
        table = ["\t".join(rows[0]), *("\t".join(str(value) for value in row.values()) for row in rows)]
        return "\n".join([*table, *self.notes()])


def coverage(connection: Connection, wants: Sequence[Want], view: View) -> Coverage:
    """Say how exposures stand.

    Parameters
    ----------
    connection
        An open transaction.
    wants
        Exposures on detectors, with the types they need; see `representatives`.
    view
        From where calibrations are looked for.

    Raises
    ------
    UnknownName, UserError
        As `registry.resolve.resolve` does.
    """
    worst: dict[tuple[int, str, str | None, int | None], Cell] = {}
    facts = _facts(connection, {data_id for want in wants for data_id in want.data_ids})
    types = dataset_types(connection)
    collections: tuple[str, ...] = ()
    for want in wants:
        found = view.resolve(connection, want)
        collections = tuple(found.collections)
        missing = {(one.data_id, one.type): one for one in found.missing}
        for name in want.types:
            dimensions = types[name].type.dimensions if name in types else ()
            for data_id in want.data_ids:
                night, through = facts[data_id.instrument, data_id.exposure]
                cell = Cell(
                    night,
                    name,
                    through if "physical_filter" in dimensions else None,
                    data_id.detector if "detector" in dimensions else None,
                    *_state(found, missing.get((data_id, name)), data_id, name),
                )
                key = (cell.night, cell.type, cell.physical_filter, cell.detector)
                if key not in worst or STATES.index(cell.state) > STATES.index(worst[key].state):
                    worst[key] = cell
    order = sorted(worst, key=lambda key: (key[0], key[1], key[2] or "", -1 if key[3] is None else key[3]))
    asked = f" --context {view.context}" if view.context else f" --as-of {view.as_of}" if view.as_of is not None else ""
    return Coverage(tuple(worst[key] for key in order), collections, asked)


def representatives(
    connection: Connection, exposures: Sequence[ExposureRecord], types: Sequence[str], view: View
) -> list[ExposureRecord]:
    """Return exposures that stand for all: of each filter and night one between any two edges of validity.

    What is valid does not change between two edges. Where a policy takes the nearest that is near enough, every
    exposure may stand differently, and all are returned.
    """
    stand = standpoint(connection, view.collections, as_of=view.as_of, policies=view.policies, context=view.context)
    if any(stand.policy(name).on_missing == "nearest" for name in types) or not exposures:
        return list(exposures)
    v = t.calib_validity.c
    ids = [row.id for name, row in dataset_types(connection).items() if name in types]
    homes = [one.id for one in stand.path]
    here = (v.type_id.in_(ids), v.collection_id.in_(homes), visible(stand.as_of))
    first, last = min(one.mid_ns for one in exposures), max(one.mid_ns for one in exposures)
    query = union(*(select(edge).where(*here, edge > first, edge <= last) for edge in (v.begin_ns, v.end_ns)))
    edges = sorted(connection.execute(query).scalars())
    chosen: dict[tuple[Any, ...], ExposureRecord] = {}
    for one in exposures:
        mode = tuple(sorted((name, str(value)) for name, value in one.readout_mode.items()))
        place = bisect_right(edges, one.mid_ns)
        chosen.setdefault((one.instrument, one.day_obs, one.physical_filter, mode, place), one)
    return list(chosen.values())


def spell_column(kind: str, physical_filter: str | None) -> str:
    """Name a type, of a filter if it depends on it."""
    return kind if physical_filter is None else f"{kind}/{physical_filter}"


def spell_nights(nights: Iterable[int]) -> str:
    """Write nights: all of few, the first and the last of many."""
    there = sorted(set(nights))
    return ", ".join(map(str, there)) if len(there) <= 3 else f"{there[0]} to {there[-1]} ({len(there)})"


def _facts(connection: Connection, data_ids: set[DataId]) -> Mapping[tuple[str, int | None], tuple[int, str | None]]:
    """Return night and filter of exposures."""
    first: dict[tuple[str, int | None], DataId] = {}
    for data_id in data_ids:
        first.setdefault((data_id.instrument, data_id.exposure), data_id)
    targets = load_targets(connection, list(first.values()))
    return {key: (targets[one].day_obs, targets[one].filter_name) for key, one in first.items()}


def _state(found: Resolution, lacking: Missing | None, data_id: DataId, name: str) -> tuple[State, int, str]:
    """Return how a data id stands, the exposure, and how that is."""
    exposure = data_id.exposure or 0
    match = found.matches[data_id].get(name)
    if match is not None and match.kind == "nearest":
        return "fallback", exposure, f"the nearest is taken, though not valid (policy {found.policies.get(name, '')})"
    if match is not None:
        return "certified", exposure, ""
    assert lacking is not None
    is_required = lacking.required and lacking.policy.on_missing != "optional"
    return "missing" if is_required else "absent", exposure, f"{lacking.reason}, {lacking.detail}"


def _word(cells: Sequence[Cell]) -> str:
    """Say how the detectors of a night stand, in a few letters."""
    if not cells:
        return "-"
    numbers = {state: sum(cell.state == state for cell in cells) for state in STATES}
    if numbers["certified"] == len(cells):
        return "ok"
    if numbers["absent"] == len(cells):
        return "(none)"
    if len(cells) == 1:
        return cells[0].state
    told = ", ".join(f"{number} {state}" for state, number in numbers.items() if number and state != "certified")
    return f"{told} of {count(len(cells), 'detector')}"
