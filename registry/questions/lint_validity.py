"""What can be wrong with validity: gaps, edges at the wrong time, rows that nobody can ever get."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from sqlalchemy import Connection, select

from registry.questions.findings import Finding
from registry.refs import DataId
from registry.remedies import obtain
from registry.resolution import spell_data_ids
from registry.sql import tables as t
from registry.sql.collections import FlatCollection
from registry.sql.notes import MarkRow, marks_of
from registry.sql.validity_rows import ValidityRow, load_validity, visible
from registry.times import DAY_S, SECOND_NS, day_obs_at, day_span, format_duration, format_time
from registry.timespan import ALL_TIME, BEGINNING_NS, FOREVER_NS, Timespan
from registry.words import count

_DAY_NS = DAY_S * SECOND_NS
_Key = tuple[str, DataId]
"""Type and data id of a calibration."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A science exposure."""

    instrument: str
    number: int
    day_obs: int
    begin_ns: int
    mid_ns: int
    end_ns: int
    filter_name: str | None


@dataclass(frozen=True)
class Scene:
    """What validity is judged by: the rows in force along the path, and the science exposures."""

    connection: Connection
    path: Sequence[FlatCollection]
    types: Sequence[str]

    @cached_property
    def rows(self) -> list[ValidityRow]:
        """The validity rows that count now in the collections of the path."""
        v = t.calib_validity.c
        homes = [one.id for one in self.path if one.kind == "CALIBRATION"]
        found = load_validity(self.connection, v.collection_id.in_(homes), visible(None))
        return [row for row in found if row.type in self.types]

    @cached_property
    def shots(self) -> list[Shot]:
        """All science exposures, by time."""
        e = t.exposure.c
        query = (
            select(t.instrument.c.name, e.number, e.day_obs, e.begin_ns, e.mid_ns, e.end_ns, t.physical_filter.c.name)
            .join(t.instrument, e.instrument_id == t.instrument.c.id)
            .join(t.physical_filter, e.filter_id == t.physical_filter.c.id)
            .where(e.obs_type == "science")
            .order_by(e.mid_ns, e.number)
        )
        return [Shot(*row) for row in self.connection.execute(query).all()]

    @cached_property
    def marks(self) -> dict[UUID, MarkRow]:
        """Marks of datasets that count now."""
        return {row.ref.id: row for row in marks_of(self.connection)}

    @cached_property
    def rollovers(self) -> dict[str, float]:
        """Seconds after 00:00 UTC at which the observing day of each instrument begins."""
        c = t.instrument.c
        return {row.name: row.rollover_s for row in self.connection.execute(select(c.name, c.rollover_s))}

    @cached_property
    def _mids(self) -> list[int]:
        return [shot.mid_ns for shot in self.shots]

    def near(self, begin_ns: int, end_ns: int) -> Iterator[Shot]:
        """Yield the exposures with their middle in a span, in order of time."""
        for place in range(bisect_left(self._mids, begin_ns), bisect_left(self._mids, end_ns)):
            yield self.shots[place]

    def shots_in(self, span: Timespan, data_id: DataId) -> Iterator[Shot]:
        """Yield the exposures with their middle in a span that need a calibration of a data id."""
        for shot in self.near(span.begin_ns, span.end_ns):
            if shot.instrument == data_id.instrument and data_id.physical_filter in {None, shot.filter_name}:
                yield shot


def gaps(scene: Scene) -> Iterator[Finding]:
    """Find what no collection covers: between two validities, and before the first or after the last if it is missed.

    What is marked covers nothing.
    """
    spans: defaultdict[_Key, list[Timespan]] = defaultdict(list)
    for row in scene.rows:
        if row.dataset in scene.marks:
            spans[row.type, row.data_id]  # a key of which nothing is left has one great hole
        else:
            spans[row.type, row.data_id].append(row.span)
    holes: defaultdict[tuple[str, str | None, Timespan], list[DataId]] = defaultdict(list)
    for (kind, data_id), there in spans.items():
        for hole in _holes(there):
            holes[kind, data_id.physical_filter, hole].append(data_id)
    for (kind, through, hole), data_ids in holes.items():
        shots = list(scene.shots_in(hole, data_ids[0]))
        if shots or not _is_open(hole):
            night = shots[0].day_obs if shots else _night(scene, data_ids[0].instrument, hole.begin_ns)
            yield _gap((kind, through, hole), data_ids, shots, night)


def _gap(
    what: tuple[str, str | None, Timespan], data_ids: Sequence[DataId], shots: Sequence[Shot], night: int
) -> Finding:
    kind, through, hole = what
    nights = sorted({shot.day_obs for shot in shots})
    missed = (
        f"{count(len(shots), 'science exposure')} of {_nights(nights)} in it" if shots else "no exposure lies in it"
    )
    length = "" if _is_open(hole) else f" ({format_duration(hole.end_ns - hole.begin_ns)})"
    return Finding(
        "GAP",
        "error" if shots else "warning",
        f"{kind}{f'/{through}' if through else ''}",
        spell_data_ids(data_ids),
        f"nothing is valid {hole}{length}; {missed}",
        obtain(kind, night),
        len(data_ids),
        tuple(sorted(data_ids)),
    )


def edges(scene: Scene) -> Iterator[Finding]:
    """Find validity edges inside exposures, between the exposures of a night, or at an hour of observing."""
    at: defaultdict[tuple[int, str, str | None], set[DataId]] = defaultdict(set)
    for row in scene.rows:
        for edge in (row.span.begin_ns, row.span.end_ns):
            if BEGINNING_NS < edge < FOREVER_NS:
                at[edge, row.type, row.data_id.physical_filter].add(row.data_id)
    hours = {name: _observing_hours(scene, name) for name in scene.rollovers}
    for (edge, kind, through), data_ids in sorted(
        at.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")
    ):
        instrument = next(iter(data_ids)).instrument
        found = _judge_edge(scene, edge, instrument, through, hours.get(instrument))
        if found is not None:
            rule, severity, why = found
            what = f"{kind}{f'/{through}' if through else ''}"
            night = _night(scene, instrument, edge)
            where = f"{spell_data_ids(data_ids)} at {format_time(edge)}"
            fix = (
                f"isrflow calibs list --type {kind}   (and certify again from {night}, the begin of the observing day)"
            )
            yield Finding(rule, severity, what, where, why, fix, len(data_ids), tuple(sorted(data_ids)))  # type: ignore[arg-type]


def shadowed(scene: Scene) -> Iterator[Finding]:
    """Find rows that earlier collections of the path cover wholly."""
    rank = {one.name: place for place, one in enumerate(scene.path)}
    cover: defaultdict[_Key, list[tuple[int, Timespan, str]]] = defaultdict(list)
    for row in scene.rows:
        cover[row.type, row.data_id].append((rank[row.collection], row.span, row.collection))
    for (kind, data_id), home, place in _members(scene, rank):
        cover[kind, data_id].append((place, ALL_TIME, home))
    groups: defaultdict[tuple[str, str, str, str | None], list[ValidityRow]] = defaultdict(list)
    for row in scene.rows:
        earlier = [(span, home) for place, span, home in cover[row.type, row.data_id] if place < rank[row.collection]]
        left = [row.span]
        for span, _ in earlier:
            left = [piece for one in left for piece in one.difference(span)]
        if not left:
            homes = ", ".join(sorted({home for span, home in earlier if span.overlaps(row.span)}))
            groups[row.type, row.collection, homes, row.data_id.physical_filter].append(row)
    for (kind, home, homes, through), rows in groups.items():
        yield Finding(
            "SHADOWED",
            "warning",
            f"{kind}{f'/{through}' if through else ''} in {home}",
            spell_data_ids({row.data_id for row in rows}),
            f"{homes}, searched before {home}, has one at all its times",
            f"isrflow calibs decertify {rows[0].short} --collection {home} --reason 'shadowed by {homes}'",
            len(rows),
            tuple(sorted({row.data_id for row in rows})),
        )


def marked_certified(scene: Scene) -> Iterator[Finding]:
    """Find what is certified, though it is marked: the resolver passes it over."""
    groups: defaultdict[tuple[str, str, str, str], list[ValidityRow]] = defaultdict(list)
    for row in scene.rows:
        if row.dataset in scene.marks:
            mark = scene.marks[row.dataset]
            groups[row.type, row.collection, mark.kind, f"by {mark.actor}: {mark.reason}"].append(row)
    for (kind, home, mark_kind, who), rows in groups.items():
        shorts = " ".join(sorted({row.short for row in rows})[:4])
        yield Finding(
            "MARKED_CERTIFIED",
            "warning",
            f"{kind} in {home}",
            spell_data_ids({row.data_id for row in rows}),
            f"marked {mark_kind} {who}; nothing else can be certified in its place until it is decertified or replaced",
            f"isrflow calibs decertify {shorts} --collection {home} --reason 'marked {mark_kind}'",
            len(rows),
            tuple(sorted({row.data_id for row in rows})),
        )


def _holes(spans: Iterable[Timespan]) -> list[Timespan]:
    """Return what is in no span, from the beginning for ever."""
    holes, reach = [], BEGINNING_NS
    for span in sorted(spans):
        if span.begin_ns > reach:
            holes.append(Timespan(reach, span.begin_ns))
        reach = max(reach, span.end_ns)
    return [*holes, *([Timespan(reach, FOREVER_NS)] if reach < FOREVER_NS else [])]


def _is_open(hole: Timespan) -> bool:
    """Say whether a hole is before the first validity or after the last, where none need be."""
    return hole.begin_ns == BEGINNING_NS or hole.end_ns == FOREVER_NS


def _judge_edge(
    scene: Scene, edge: int, instrument: str, through: str | None, hours: tuple[int, int] | None
) -> tuple[str, str, str] | None:
    """Return rule, severity and why, if an edge is at a bad time."""
    near = scene.near(edge - 2 * _DAY_NS, edge + 2 * _DAY_NS)
    mine = [shot for shot in near if shot.instrument == instrument and through in {None, shot.filter_name}]
    cut = [shot for shot in mine if shot.begin_ns < edge < shot.end_ns]
    if cut:
        return "EDGE_IN_EXPOSURE", "warning", f"it lies inside {_exposures(cut)}: what is valid at the middle is used"
    for night in sorted({shot.day_obs for shot in mine}):
        tonight = [shot for shot in mine if shot.day_obs == night]
        before = sum(shot.end_ns <= edge for shot in tonight)
        if 0 < before < len(tonight):
            after = len(tonight) - before
            why = f"it parts night {night}: {before} exposures before it and {after} after differ in it"
            return "EDGE_IN_NIGHT", "warning", why
    night = _night(scene, instrument, edge)
    tonight = [shot for shot in mine if shot.day_obs == night]
    if not tonight and hours is not None and hours[0] < _since_rollover(scene, instrument, edge) < hours[1]:
        spelled = " to ".join(format_duration(hour) for hour in hours)
        return (
            "EDGE_FORECAST",
            "note",
            f"exposures of night {night} may lie on both sides: science is taken {spelled} after the begin of the day",
        )
    return None


def _observing_hours(scene: Scene, instrument: str) -> tuple[int, int] | None:
    """Return from when to when science was ever taken, in ns after the begin of the observing day."""
    since = [_since_rollover(scene, instrument, shot.mid_ns) for shot in scene.shots if shot.instrument == instrument]
    return (min(since), max(since)) if since else None


def _since_rollover(scene: Scene, instrument: str, ns: int) -> int:
    night = _night(scene, instrument, ns)
    return (ns - day_span(night, scene.rollovers[instrument]).begin_ns) % _DAY_NS


def _night(scene: Scene, instrument: str, ns: int) -> int:
    return day_obs_at(ns, scene.rollovers.get(instrument, 0.0))


def _members(scene: Scene, rank: dict[str, int]) -> Iterator[tuple[_Key, str, int]]:
    """Yield the calibrations that runs of the path hold."""
    from registry.sql.datasets import load_refs

    for one in scene.path:
        if one.kind == "RUN":
            for ref in load_refs(scene.connection, t.dataset.c.run_id == one.id, t.dataset.c.status == "LIVE"):
                if ref.type in scene.types:
                    yield (ref.type, ref.data_id), one.name, rank[one.name]


def _exposures(shots: Sequence[Shot]) -> str:
    numbers = ", ".join(str(shot.number) for shot in shots[:3])
    return f"exposure{'s' if len(shots) > 1 else ''} {numbers}" + (
        f" and {len(shots) - 3} more" if len(shots) > 3 else ""
    )


def _nights(nights: Sequence[int]) -> str:
    if len(nights) <= 2:
        return f"night{'s' if len(nights) > 1 else ''} {', '.join(map(str, nights))}"
    return f"nights {nights[0]} to {nights[-1]}"
