"""What a foreign repository holds, said in the registry's own words; and what of it cannot be said in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.refs import DataId
from registry.timespan import Timespan


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is not taken: what, why, and which ones."""

    what: str
    reason: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.names[:5]) + (f" and {len(self.names) - 5} more" if len(self.names) > 5 else "")
        return f"{self.what}: {self.reason}" + (f" ({shown})" if self.names else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"what": self.what, "reason": self.reason, "names": list(self.names)}


@dataclass(frozen=True, slots=True)
class ForeignDataset:
    """A dataset with its file, already under the type and data id that it will have here."""

    id: UUID
    """What it is called there."""
    type: str
    run: str
    data_id: DataId
    path: Path


@dataclass(frozen=True, slots=True)
class ForeignCollection:
    """A collection; `children` of a chain, in order; `kind` as the registry calls it."""

    name: str
    kind: str
    doc: str = ""
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignInstrument:
    """An instrument with its detectors and filters."""

    record: InstrumentRecord
    detectors: tuple[DetectorRecord, ...]
    filters: tuple[FilterRecord, ...]


@dataclass(frozen=True)
class Contents:
    """All that was asked for and can be said here, and what was left."""

    where: str
    """The repository it comes from."""
    instruments: Sequence[ForeignInstrument]
    exposures: Sequence[ExposureRecord]
    collections: Sequence[ForeignCollection]
    """Children before the chains that search them."""
    datasets: Sequence[ForeignDataset]
    validity: Sequence[tuple[str, Timespan, UUID]]
    """Collection, range, dataset."""
    tags: Sequence[tuple[str, UUID]]
    left: Sequence[Left]


@dataclass
class Leftovers:
    """Collects what cannot be taken, one line for each kind of thing and reason."""

    _seen: defaultdict[tuple[str, str], dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, what: str, reason: str, names: Iterable[str] = ()) -> None:
        """Remember what was left."""
        self._seen[what, reason] |= dict.fromkeys(names)

    def all(self) -> list[Left]:
        """Return everything, in the order in which it was met."""
        return [Left(what, reason, tuple(names)) for (what, reason), names in self._seen.items()]
