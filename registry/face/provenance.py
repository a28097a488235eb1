"""What was made from what, by whom; and whether it is still so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from registry.errors import UserError
from registry.face.base import Face
from registry.lineage import Direction, Lineage, ProvenanceRecord, lineage, provenance
from registry.query.run import select_refs
from registry.refs import DatasetRef
from registry.sql import events, replays
from registry.sql.counts import counts
from registry.sql.events import EventRow
from registry.sql.quantum_inputs import output_refs
from registry.sql.replays import ReplayRow

if TYPE_CHECKING:
    from registry.audit import Finding, VerifyReport


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

    def events(
        self,
        limit: int | None = 100,
        *,
        kind: str | None = None,
        since: str | int | None = None,
        as_of: str | int | None = None,
    ) -> list[EventRow]:
        """Return the newest events of the log, newest first.

        Parameters
        ----------
        limit
            At most so many; None is all.
        kind
            Only these: ``certify``, ``mark`` ...
        since, as_of
            From, and up to, the number of an event or a time (UTC unless it says otherwise), both counted in.
        """
        with self._repository.reading() as connection:
            first = 0 if since is None else events.first_seq_of(connection, since)
            last = None if as_of is None else events.seq_of(connection, as_of)
            return events.events(connection, limit=limit, kind=kind, since=first, until=last)

    def verify(
        self,
        *,
        rehash: bool = False,
        where: str = "",
        on_finding: Callable[[Finding], None] | None = None,
        on_progress: Callable[[int, int, int], None] | None = None,
    ) -> VerifyReport:
        """Compare the registry with its files; see `registry.audit`.

        Parameters
        ----------
        rehash
            Read every file and compare its SHA-256; without it only presence and size are compared.
        where
            Look only at the files of datasets that fulfil a condition, see `query`; at no rows, log and orphans.
        on_finding, on_progress
            Told of every finding, and how far the check has come (files looked at, of all, findings).
        """
        from registry.audit import verify

        refs = self._to_verify(where) if where else None
        return verify(
            self._repository, rehash=rehash, refs=refs, where=where, on_finding=on_finding, on_progress=on_progress
        )

    def _to_verify(self, where: str) -> list[DatasetRef]:
        """Return the datasets that should have a file, with those known to be missing: they may be back, or not."""
        with self._repository.reading() as connection:
            found = select_refs(connection, where)  # as it was typed, so that errors point into it
            found += select_refs(connection, f"({where}) and status = 'MISSING'")
        refs = list({ref.id: ref for ref in found if ref.path is not None}.values())
        if not refs:
            fix = f'isrflow query datasets "{where}" --explain'
            raise UserError("no datasets with a file match; nothing was verified", fix=fix)
        return refs

    @property
    def read_only(self) -> bool:
        """Whether the repository was opened for reading only."""
        return self._repository.read_only

    def write_prov(self, out: TextIO, about: DatasetRef | UUID | str) -> dict[str, int]:
        """Write W3C PROV-JSON of a dataset (all that led to it) or of a run, given by name; see `registry.prov`."""
        from registry.prov.document import write_of_dataset, write_of_run

        found = about if isinstance(about, str) else self._registered(about)
        with self._repository.reading() as connection:
            if isinstance(found, str):
                return write_of_run(connection, found, out)
            return write_of_dataset(connection, found, out)

    def makers(self, refs: Iterable[DatasetRef]) -> dict[UUID, int]:
        """Return the quantum that made each dataset; those that no quantum made are left out."""
        with self._repository.reading() as connection:
            return replays.makers(connection, refs)

    def outputs(self, quantum_id: int) -> dict[str, DatasetRef]:
        """Return what a quantum made, by role."""
        with self._repository.reading() as connection:
            return output_refs(connection, quantum_id)

    def done_quanta(self, run: str | None = None, day_obs: int | None = None) -> list[int]:
        """Return the quanta that are done, of a run, of an observing day."""
        with self._repository.reading() as connection:
            return replays.done_quanta(connection, run, day_obs)

    def record_replays(
        self, results: Sequence[tuple[UUID, str, Mapping[str, Any]]], software: Mapping[str, Any]
    ) -> None:
        """Keep what came of making datasets again: (dataset, verdict, plain detail), and with which software."""
        with self._repository.writing() as connection:
            replays.record_replays(connection, results, software)

    def replays(self, ref: DatasetRef | UUID | None = None, run: str | None = None) -> list[ReplayRow]:
        """Return the replays of a dataset, or of a run, oldest first."""
        id_ = ref.id if isinstance(ref, DatasetRef) else ref
        with self._repository.reading() as connection:
            return replays.replays(connection, id_, run)

    def stats(self) -> dict[str, int]:
        """Return how many there are of everything."""
        with self._repository.reading() as connection:
            return counts(connection)
