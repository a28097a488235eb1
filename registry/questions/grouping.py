"""Putting what differs into few words: what many detectors, or kinds of calibration, have in common is one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection

from registry.questions.comparing import NOTHING, Found, Kind
from registry.questions.pairs import Member, contents
from registry.refs import DatasetRef
from registry.sql.datasets import refs_by_row
from registry.sql.validity_rows import ValidityRow, validity_by_id

ORDER: tuple[Kind, ...] = ("calibration", "config", "software", "input", "state", "only")
"""In which order differences are told."""


@dataclass(frozen=True, slots=True)
class Group:
    """Differences that one explanation covers: from one run's datasets, or one value, to another's."""

    kind: Kind
    what: str
    before: str
    after: str
    why: str
    places: tuple[int, ...]
    """The quanta, as in `comparing.Comparison.keys`."""


def group(connection: Connection, found: Mapping[Found, Sequence[int]]) -> list[Group]:
    """Group differences, those of most quanta first."""
    speaker = _speaker(connection, found)
    groups: defaultdict[tuple[Any, ...], list[tuple[Found, Sequence[int]]]] = defaultdict(list)
    for difference, places in found.items():
        kind, what, before, after = difference
        if kind in _OF_DATASETS:
            homes = speaker.homes(before), speaker.homes(after)
            groups[kind, what, homes, speaker.certified(after)].append((difference, places))
        else:
            groups[kind, what, (before, after), ""].append((difference, places))
    lots: defaultdict[tuple[Any, ...], list[tuple[str, list[Found]]]] = defaultdict(list)
    for (kind, what, homes, why), some in groups.items():
        places = tuple(sorted({place for _, these in some for place in these}))
        alone = what if kind != "calibration" else ""  # calibrations of several types may share their lot
        lots[kind, alone, homes, why, places].append((what, [one for one, _ in some]))
    told = [_group(speaker, kind, alike, why, places) for (kind, _, _, why, places), alike in lots.items()]
    return sorted(told, key=lambda one: (ORDER.index(one.kind), -len(one.places), one.what, one.before))


_OF_DATASETS = frozenset({"calibration", "input"})


def _group(
    speaker: _Speaker, kind: Kind, alike: Sequence[tuple[str, list[Found]]], why: str, places: tuple[int, ...]
) -> Group:
    what = ", ".join(sorted(name for name, _ in alike))
    pairs = [one[2:] for _, some in alike for one in some]
    if kind not in _OF_DATASETS:
        ((one, other),) = pairs
        return Group(kind, what, str(one), str(other), why, places)
    rows = [(_rows(one), _rows(other)) for one, other in pairs]
    before, after = (speaker.names(frozenset().union(*(pair[side] for pair in rows))) for side in (0, 1))
    same = all(all(pair) and speaker.contents(pair[0]) == speaker.contents(pair[1]) for pair in rows)
    return Group(kind, what, before, after, f"{why} (but of the same content)" if same else why, places)


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Knows the names of what is compared."""

    refs: Mapping[int, DatasetRef]
    validity: Mapping[int, ValidityRow]
    content: Mapping[int, str]

    def homes(self, one: object) -> tuple[str, ...]:
        """Return the runs of what is compared."""
        return tuple(sorted({self.refs[row].run for row in _rows(one)}))

    def contents(self, rows: Iterable[int]) -> set[str]:
        """Return the hashes of the content of datasets."""
        return {self.content.get(row, str(row)) for row in rows}

    def certified(self, member: object) -> str:
        """Say by whose word a calibration was used; of anything else there is nothing to say."""
        if not isinstance(member, Member):
            return ""
        how = " as the nearest, though not valid" if member.match_kind == "nearest" else ""
        if member.validity_id is None:
            return f"found in {member.collection}{how}"
        return f"certified in {member.collection} {self.validity[member.validity_id].certified}{how}"

    def names(self, rows: Iterable[int]) -> str:
        """Name datasets: a single one by its id, several by their number."""
        there = [self.refs[row] for row in sorted(rows)]
        if not there:
            return NOTHING
        runs = ", ".join(sorted({ref.run for ref in there}))
        return f"{there[0].short} ({runs})" if len(there) == 1 else f"{len(there)} of {runs}"


def _speaker(connection: Connection, found: Mapping[Found, object]) -> _Speaker:
    """Look up the names of all datasets that differ."""
    compared = [one for kind, _, *pair in found if kind in _OF_DATASETS for one in pair]
    rows: frozenset[int] = frozenset().union(*map(_rows, compared))
    ids = {one.validity_id for one in compared if isinstance(one, Member) and one.validity_id is not None}
    return _Speaker(refs_by_row(connection, rows), validity_by_id(connection, sorted(ids)), contents(connection, rows))


def _rows(one: object) -> frozenset[int]:
    """Return the rows of datasets, of a member of a set, or of nothing."""
    if isinstance(one, Member):
        return frozenset([one.dataset_id])
    return frozenset() if one is None else cast("frozenset[int]", one)
