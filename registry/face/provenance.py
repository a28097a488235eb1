"""What was made from what, by whom; and whether it is still so."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from registry.lineage import Direction, Lineage, ProvenanceRecord, lineage, provenance
from registry.refs import DatasetRef
from registry.sql import events
from registry.sql.counts import counts
from registry.sql.events import EventRow

if TYPE_CHECKING:
    from registry.audit import VerifyReport


from registry.face.base import Face


class ProvenanceFace(Face):
    """Lineage, provenance, events, verification."""

    def lineage(self, ref: DatasetRef | UUID, direction: Direction = "up") -> Lineage:
        """Follow what a dataset was made from (up), or what was made from it (down), all the way."""
        found = self._registered(ref)
        with self._repository.reading() as connection:
            return lineage(connection, found, direction)

    def provenance(self, ref: DatasetRef | UUID) -> ProvenanceRecord:
        """Return how a dataset was made.

        Raises
        ------
        MissingDataset
            If it is not registered, or was made by no quantum (raws, and what was put in by hand).
        """
        found = self._registered(ref)
        with self._repository.reading() as connection:
            return provenance(connection, found)

    def events(self, limit: int | None = 100) -> list[EventRow]:
        """Return the newest events of the log, newest first."""
        with self._repository.reading() as connection:
            return events.events(connection, limit=limit)

    def verify(self, *, rehash: bool = False) -> VerifyReport:
        """Compare the registry with its files; see `registry.audit`."""
        from registry.audit import verify

        return verify(self._repository, rehash=rehash)

    def stats(self) -> dict[str, int]:
        """Return how many there are of everything."""
        with self._repository.reading() as connection:
            return counts(connection)
