"""Datasets: stored, read, found, asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from registry.errors import CorruptDataset, MissingDataset, OutsideStore
from registry.face.base import Face
from registry.ingest import IngestItem, IngestResult, Transfer, ingest
from registry.publish import publish
from registry.query.empty import EmptyAnswer, explain_empty
from registry.query.fields import What
from registry.query.rows import Rows
from registry.query.run import select_refs, select_rows
from registry.reading import kept_file, local_file, refuse_absent
from registry.refs import DataId, DatasetRef
from registry.repository import Formatter
from registry.sql import collections as collections_sql
from registry.sql.dataset_types import dataset_types
from registry.sql.datasets import find_first, ref_by_text
from registry.sql.notes import marks_of
from registry.times import format_time


class DatasetFace(Face):
    """Datasets and the language that asks for them."""

    _formats: dict[str, str]

    def ingest(self, items: Sequence[IngestItem], run: str, transfer: Transfer = "copy") -> IngestResult:
        """Store files as datasets of a run, all or none; see `registry.ingest`."""
        return ingest(self._repository, items, run, transfer)

    def put(
        self,
        value: object,
        type: str,  # noqa: A002
        data_id: DataId,
        run: str,
        *,
        source: str | None = None,
    ) -> DatasetRef:
        """Publish one value outside any quantum; harmless if it is there with the same content.

        Parameters
        ----------
        value, type, data_id, run
            What, of which dataset type, about what, and the RUN collection that will own it.
        source
            Where it comes from, for the log of events.
        """
        (ref,) = publish(self._repository, {type: value}, run=run, data_id=data_id, source=source)
        return ref

    def get(self, ref: DatasetRef | UUID) -> object:
        """Read a dataset.

        Raises
        ------
        MissingDataset
            If it is not registered, or its file is gone.
        CorruptDataset
            If its file has another size than it had when it was stored; of a remote one, another hash.
        """
        found = self._usable(ref)
        with local_file(self._repository, found) as path:
            return self._formatter(found.type).read(path)

    def path(self, ref: DatasetRef | UUID) -> Path:
        """Return where a dataset's file is, for reading only; a copy of a remote one stays until `close`."""
        return kept_file(self._repository, self._usable(ref))

    def exists(self, ref: DatasetRef | UUID) -> bool:
        """Say whether a dataset is registered as usable and its file is there with the right size."""
        try:
            refuse_absent(self._repository, self._usable(ref))
        except (MissingDataset, CorruptDataset, OutsideStore):
            return False
        return True

    def resolve_id(self, text: str) -> DatasetRef:
        """Return the dataset that a full id, or the beginning of one, names."""
        with self._repository.reading() as connection:
            return ref_by_text(connection, text)

    def find(self, type: str, data_id: DataId, collections: Sequence[str]) -> DatasetRef | None:  # noqa: A002
        """Return the dataset of a type and data id in the first RUN or TAGGED collection that has one."""
        with self._repository.reading() as connection:
            found = find_first(connection, type, [data_id], collections_sql.flatten(connection, collections))
        return found[data_id][0] if data_id in found else None

    def datasets(
        self,
        where: str = "",
        *,
        type: str | Sequence[str] | None = None,  # noqa: A002
        collections: Sequence[str] | None = None,
        bind: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[DatasetRef]:
        """Return datasets; usable ones only, unless `where` speaks of ``status``.

        Parameters
        ----------
        where, bind, order_by, limit
            See `query`.
        type
            One dataset type, or several.
        collections
            Only what is in these (chains are opened): members of RUN and TAGGED ones, what CALIBRATION ones certify.
        """
        with self._repository.reading() as connection:
            inside = (
                None if collections is None else [one.id for one in collections_sql.flatten(connection, collections)]
            )
            return select_refs(
                connection,
                where,
                types=[type] if isinstance(type, str) else type,
                collection_ids=inside,
                bind=bind or {},
                order_by=order_by,
                limit=limit,
            )

    def query(
        self,
        what: What,
        where: str = "",
        *,
        bind: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
        limit: int | None = None,
        after: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Rows:
        """Return exposures, datasets, collections or quanta: rows, or with one more word an astropy or pandas table.

        Parameters
        ----------
        what
            ``exposures``, ``datasets``, ``collections`` or ``quanta``.
        where
            A condition: ``obs_type = 'science' and day_obs in 20260301..20260331``; see `registry.query.syntax`.
        bind
            Values of ``:name`` in the condition, and lists for ``in :name``.
        order_by
            Fields to sort by, ``-name`` for descending.
        limit
            At most so many; if there are more, `Rows.next_page` says where to go on.
        after
            The `Rows.next_page` of the page before. Rows that were added since the first page are on no page, so
            that none is lost or doubled.
        columns
            Fields to show (``attrs.airmass`` too); the usual ones if not given.

        Raises
        ------
        QuerySyntaxError
            If the condition cannot be read; points at the column.
        UnknownName
            If a field or a value of `bind` is not known.
        UserError
            If `after` is no page of this query.
        """
        with self._repository.reading() as connection:
            return select_rows(
                connection,
                what,
                where,
                bind=bind or {},
                order_by=order_by,
                limit=limit,
                after=after,
                columns=columns,
            )

    def explain_empty(self, what: What, where: str = "", *, bind: Mapping[str, Any] | None = None) -> EmptyAnswer:
        """Say why a query answers nothing: which condition alone does, which two together, and what is nearest."""
        with self._repository.reading() as connection:
            return explain_empty(connection, what, where, bind=bind)

    def _usable(self, ref: DatasetRef | UUID) -> DatasetRef:
        """Return a LIVE dataset; a local one whose ref says so is believed as long as its file is there."""
        found = ref if isinstance(ref, DatasetRef) and self._is_as_it_says(ref) else self._registered(ref)
        if found.status != "LIVE" or found.path is None:
            raise self._unusable(found)
        return found

    def _unusable(self, ref: DatasetRef) -> MissingDataset:
        """Return the error for a dataset that is not LIVE; of one that was deleted, with who did it and why."""
        said = f"{ref} cannot be used: it is {ref.status}"
        if ref.status not in {"DELETING", "PURGED"}:
            return MissingDataset(said, id=ref.id, path=ref.path, fix="isrflow recover")
        with self._repository.reading() as connection:
            marks = marks_of(connection, [ref], kind="deleted")
        who = "".join(f", deleted by {m.actor} at {format_time(m.at_ns)} ({m.reason})" for m in marks)
        fix = "run again the command that made it: it makes what was deleted, under the same id"
        return MissingDataset(f"{said}{who}", id=ref.id, path=ref.path, fix=fix)

    def _is_as_it_says(self, ref: DatasetRef) -> bool:
        if self._repository.store.is_remote:  # to ask the registry is quicker
            return False
        return ref.status == "LIVE" and ref.path is not None and self._repository.size_of(ref.path) == ref.size

    def _formatter(self, type_name: str) -> Formatter:
        """Return the format of a dataset type; types never change, so they are asked for once."""
        if type_name not in self._formats:
            with self._repository.reading() as connection:
                self._formats = {name: row.type.formatter for name, row in dataset_types(connection).items()}
        return self._repository.formatter(self._formats[type_name])
