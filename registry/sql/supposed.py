"""What if the calibrations were others: a change laid over the rows that a resolution reads, and written nowhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from registry.timespan import Timespan

if TYPE_CHECKING:
    from registry.sql.searching import Hit, Key

Mode = Literal["replace", "fill-gaps"]


@dataclass(frozen=True, slots=True)
class Certified:
    """A dataset that shall be taken as certified in a collection; `mode` says who wins where something is already."""

    collection_id: int
    key: Key
    span: Timespan
    dataset_id: int
    mode: Mode = "replace"


@dataclass(frozen=True)
class Supposition:
    """A change of which calibration holds when.

    Parameters
    ----------
    without
        Datasets that shall not count, by id, with their rows.
    instead
        Rows of datasets, each with that of the dataset to stand in its place.
    also
        What shall be certified besides.
    """

    without: Mapping[UUID, int] = field(default_factory=dict)
    instead: Mapping[int, int] = field(default_factory=dict)
    also: Sequence[Certified] = ()

    def rows(self, rows: Iterable[tuple[Key, Hit]], rank: Mapping[int, int]) -> Iterator[tuple[Key, Hit]]:
        """Change the rows of the CALIBRATION collections of a path; what comes out is in order of time again.

        Parameters
        ----------
        rows
            Keys and hits; those of one key and rank do not overlap.
        rank
            Row of each collection of the path, to its place.
        """
        slots: defaultdict[tuple[Key, int], list[Hit]] = defaultdict(list)
        for key, hit in self.members(rows):
            slots[key, hit.rank].append(hit)
        for one in self.also:
            if one.collection_id in rank:
                place = (one.key, rank[one.collection_id])
                slots[place] = _laid_in(slots[place], one, place[1])
        changed = [(key, hit) for (key, _), hits in slots.items() for hit in hits]
        return iter(sorted(changed, key=lambda pair: (pair[1].begin_ns, pair[0])))

    def members(self, rows: Iterable[tuple[Key, Hit]]) -> Iterator[tuple[Key, Hit]]:
        """Change the members of RUN and TAGGED collections: nothing is certified there."""
        gone = set(self.without.values())
        for key, hit in rows:
            if hit.dataset_id not in gone:
                yield key, hit._replace(dataset_id=self.instead.get(hit.dataset_id, hit.dataset_id))


def _laid_in(hits: Sequence[Hit], new: Certified, rank: int) -> list[Hit]:
    """Return the hits of one key and collection with another laid over or under them."""
    from registry.sql.searching import Hit as Made

    if new.mode == "fill-gaps":
        free = [new.span]
        for hit in hits:
            free = [left for piece in free for left in piece.difference(Timespan(hit.begin_ns, hit.end_ns))]
        return [*hits, *(Made(one.begin_ns, one.end_ns, new.dataset_id, None, rank) for one in free)]
    kept = [
        hit._replace(begin_ns=left.begin_ns, end_ns=left.end_ns)
        for hit in hits
        for left in Timespan(hit.begin_ns, hit.end_ns).difference(new.span)
    ]
    return [*kept, Made(new.span.begin_ns, new.span.end_ns, new.dataset_id, None, rank)]
