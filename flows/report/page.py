"""What stands on the page: facts, numbers and pictures turned into the values the template shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from flows.report.facts import CalibUse, NightFacts
from flows.report.layout import FocalPlane
from flows.report.maps import amplifier_map, colour_bar
from flows.report.numbers import QUANTITIES, Numbers, Quantity
from flows.report.scale import Scale
from flows.report.trends import Series, trend
from registry.dimensions import ExposureRecord
from registry.refs import QuantumRow
from registry.times import format_time

TRENDS = ("overscan", "overscan_noise", "read_noise")


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing with its words."""

    title: str
    says: str
    svg: str
    key: str = ""
    """Key to the colours, as HTML."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One detector of one exposure in the table of what was processed."""

    css: str
    title: str


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """One line of the table of what was processed."""

    record: ExposureRecord
    time: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Quanta without products for one reason, in words, and what to type."""

    what: str
    state: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class CalibGroup:
    """Calibrations that differ only in their detector."""

    type: str
    physical_filter: str
    detectors: str
    valid: str
    run: str
    n_used: int


def exposure_rows(facts: NightFacts, plane: FocalPlane) -> list[ExposureRow]:
    """Return a line an exposure, with a cell a detector."""
    rows = []
    for record in facts.exposures:
        quanta = [(place.detector.name, facts.quanta.get((record.id, place.detector.id))) for place in plane.places]
        cells = [_cell(name, row) for name, row in quanta]
        rows.append(ExposureRow(record, clock(record.begin_ns), cells))
    return rows


def troubles(facts: NightFacts) -> list[Trouble]:
    """Return what has no product, why, and what helps; quanta that share a reason stand together."""
    groups: dict[tuple[str, str], list[QuantumRow]] = {}
    for row in facts.troubles:
        groups.setdefault((row.state, row.reason or f"{row.error_kind}: {row.error_message}"), []).append(row)
    found = []
    for (state, reason), rows in groups.items():
        why, _, advice = reason.partition("\n  try: ")
        found.append(Trouble(_which(rows), state, why, advice or _fix(facts, rows[0])))
    return found


def calib_groups(facts: NightFacts) -> list[CalibGroup]:
    """Return the calibrations used, those of one kind, filter, run and validity in one line."""
    groups: dict[tuple[str, str, str, str], list[CalibUse]] = {}
    for use in facts.calibs:
        key = (use.ref.type, use.ref.data_id.physical_filter or "", use.valid, use.ref.run)
        groups.setdefault(key, []).append(use)
    return [
        CalibGroup(kind, filter_, _numbers_text(use.ref.data_id.detector for use in uses), valid, run, _sum(uses))
        for (kind, filter_, valid, run), uses in groups.items()
    ]


def maps(numbers: Numbers, plane: FocalPlane) -> list[Figure]:
    """Return a map of the focal plane for every quantity: the median of the night of each amplifier."""
    return [_map(numbers, plane, quantity) for quantity in QUANTITIES if numbers.has(quantity.key)]


def trends(facts: NightFacts, numbers: Numbers, plane: FocalPlane) -> list[Figure]:
    """Return the run of the quantities that may change over the night."""
    labels = [clock(record.begin_ns)[:5] for record in facts.exposures]
    figures = []
    for quantity in (item for item in QUANTITIES if item.key in TRENDS and numbers.has(item.key)):
        drifts = quantity.key == "overscan"
        values = numbers.drift(quantity.key) if drifts else numbers.values[quantity.key]
        title = f"{quantity.title}, less the amplifier's median" if drifts else quantity.title
        series = _series(facts, values, plane)
        unit = quantity.unit or numbers.unit
        svg = trend(series, labels, quantity.digits)
        figures += [Figure(f"{title} ({unit})", quantity.says, svg)] if svg else []
    if numbers.has("level"):
        figures.append(_sky(facts, numbers, plane, labels))
    return [figure for figure in figures if figure.svg]


def settings(facts: NightFacts) -> list[tuple[str, str]]:
    """Return the settings that differ from the defaults of the recipe."""
    from isrflow.quantum.config import recipe_from

    return [(name, str(value)) for name, value in recipe_from(facts.config).changes().items()]


def long_date(day: int) -> str:
    """Return a day as people write it."""
    when = date(day // 10000, day // 100 % 100, day % 100)
    return f"{when.day} {when:%B %Y}"


def clock(ns: int) -> str:
    """Return the time of day in UTC."""
    return format_time(ns)[11:19]


def _numbers_text(numbers: Iterable[int | None]) -> str:
    """Return whole numbers with runs of them joined: 0-3, 7."""
    runs: list[list[int]] = []
    for number in sorted(item for item in numbers if item is not None):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}\u2013{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "all"


def _sum(uses: Iterable[CalibUse]) -> int:
    return sum(use.n_used for use in uses)


def _cell(name: str, row: QuantumRow | None) -> Cell:
    if row is None:
        return Cell("absent", f"{name}: no raw")
    why = row.reason or row.error_message or (f"{row.seconds:.1f} s" if row.seconds is not None else "")
    return Cell(row.state, f"{name}: {row.state}{f' ({why})' if why else ''}")


def _which(rows: Sequence[QuantumRow]) -> str:
    exposures = _numbers_text({row.data_id.exposure for row in rows})
    detectors = _numbers_text({row.data_id.detector for row in rows})
    return f"exposure {exposures}, detector {detectors}" + (f" ({len(rows)} raws)" if len(rows) > 1 else "")


def _fix(facts: NightFacts, row: QuantumRow) -> str:
    data_id = row.data_id
    missing = re.match(r"(?:no|missing) (\w+)", row.reason or "")
    if row.state == "skipped" and missing:
        return f"isrflow explain {data_id.exposure} {data_id.detector} {missing[1]}"
    return f"isrflow night {facts.day}"


def _map(numbers: Numbers, plane: FocalPlane, quantity: Quantity) -> Figure:
    if quantity.key == "level":
        values = numbers.evenness("level")
        scale = Scale.centred(list(values.values()))
        svg = amplifier_map(plane, values, scale, 2)
        says = "Excess of each amplifier over its exposure's median; what gains and flats left."
        return Figure("Evenness of the sky", says, svg, colour_bar(scale, "%", 2))
    values = numbers.typical(quantity.key)
    scale = Scale.even(list(values.values()))
    unit = quantity.unit or numbers.unit
    svg = amplifier_map(plane, values, scale, quantity.digits)
    return Figure(quantity.title, quantity.says, svg, colour_bar(scale, unit, quantity.digits))


def _sky(facts: NightFacts, numbers: Numbers, plane: FocalPlane, labels: Sequence[str]) -> Figure:
    """Return the sky over the night: thin lines the detectors, one thick line a filter."""
    level, everywhere = numbers.values["level"], [place.detector.id for place in plane.places]
    filters = list(dict.fromkeys(record.physical_filter for record in facts.exposures))

    def line(name: str, filter_: str | None, detectors: Sequence[int]) -> Series:
        values = []
        for record in facts.exposures:
            here = [value for key, value in level.items() if key[0] == record.id and key[1] in detectors]
            values.append(median(here) if here and record.physical_filter == filter_ else None)
        return Series(name, tuple(values))

    thin = [
        line(f"{place.detector.name} {filter_ or ''}", filter_, [place.detector.id])
        for filter_ in filters
        for place in plane.places
    ]
    thick = [line(filter_ or "no filter", filter_, everywhere) for filter_ in filters]
    quantity = next(item for item in QUANTITIES if item.key == "level")
    svg = trend([*thin, *thick], labels, quantity.digits, loud=thick[:3])
    return Figure(f"Sky level ({numbers.unit})", "Medians of the detectors; in colour, of the whole focal plane.", svg)


def _series(facts: NightFacts, values: Mapping[Any, float], plane: FocalPlane) -> list[Series]:
    return [
        Series(
            f"{place.detector.name} {amp.name}",
            tuple(values.get((record.id, place.detector.id, amp.name)) for record in facts.exposures),
        )
        for place in plane.places
        for amp in place.detector.amplifiers
    ]
