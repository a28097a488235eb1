"""The face of a repository: every question and every change in one place, each handed on to the room that knows."""

from __future__ import annotations

import getpass
import html
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from registry.datastore.local import LocalDatastore
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.errors import CorruptDataset, MissingDataset, UnavailableError, UserError
from registry.ingest import IngestItem, IngestResult, Transfer, ingest
from registry.lineage import Direction, Lineage, ProvenanceRecord, lineage, provenance
from registry.owner import process_token
from registry.planning import plan
from registry.publish import Work, publish
from registry.query.fields import What
from registry.query.run import select_exposures, select_refs, select_rows
from registry.recover import RecoveryReport, recover
from registry.refs import DataId, DatasetRef, DatasetType, QuantumFailure, QuantumInputs, QuantumRow, QuantumSpec
from registry.repository import Formatter, Repository
from registry.sql import calibrations, events, exposures, leases, quanta
from registry.sql import collections as collections_sql
from registry.sql.calibrations import CertifyDiff, CertifyMode
from registry.sql.collections import CollectionKind, CollectionRow
from registry.sql.counts import counts
from registry.sql.database import database_path, open_database
from registry.sql.dataset_types import dataset_types, register_dataset_types
from registry.sql.datasets import find_first, ref_by_text, refs_by_uuid
from registry.sql.events import EventRow, append_event
from registry.sql.quantum_inputs import quantum_inputs
from registry.sql.validity_rows import ValidityRow, validity_rows
from registry.timespan import ALL_TIME, Timespan

if TYPE_CHECKING:
    from registry.audit import VerifyReport
    from registry.explain import Explanation
    from registry.resolution import Resolution

__all__ = ["Butler", "Formatter", "IngestItem", "IngestResult"]

DATABASE = "registry.sqlite3"
DATASTORE = "datastore"


class Butler:
    """An open repository.

    Parameters
    ----------
    root
        Its directory.
    formatters
        How values are kept in files, by the names that dataset types use.
    actor
        Who events are signed with; the user and host by default.
    read_only
        Refuse every change.

    Raises
    ------
    UnavailableError
        If `root` is not a repository; names ``isrflow init``.
    VersionError
        If its schema is older or newer than this program; names the command that mends it.
    """

    def __init__(
        self,
        root: Path,
        *,
        formatters: Mapping[str, Formatter],
        actor: str | None = None,
        read_only: bool = False,
    ) -> None:
        self.root = Path(root).absolute()
        database = self.root / DATABASE
        if not database.is_file():
            raise UnavailableError(
                f"{self.root} is not a repository", fix=f"isrflow init {self.root} --instrument NAME"
            )
        self._repository = Repository(
            root=self.root,
            engine=open_database(database, read_only=read_only),
            store=LocalDatastore(self.root / DATASTORE),
            formatters=formatters,
            actor=actor or f"{_user()}@{socket.gethostname()}",
            read_only=read_only,
        )
        self._formats: dict[str, str] = {}

    @classmethod
    def create(
        cls, root: Path, *, url: str | None = None, formatters: Mapping[str, Formatter], actor: str | None = None
    ) -> Butler:
        """Make an empty repository and open it.

        Raises
        ------
        UserError
            If there is one already, or `url` is of a database that is not supported.
        UnavailableError
            If the directory cannot be written.
        """
        from registry.migrate import create_database

        home = Path(root).absolute() / DATABASE
        create_database(home if url is None else _own(url, home))
        (home.parent / DATASTORE).mkdir(exist_ok=True)
        return cls(home.parent, formatters=formatters, actor=actor)

    # ------------------------------------------------------------------------------------------------------ dimensions

    def register_instrument(
        self, instrument: InstrumentRecord, detectors: Sequence[DetectorRecord], filters: Sequence[FilterRecord]
    ) -> None:
        """Add an instrument with its detectors and filters; harmless if they are there with the same properties."""
        with self._repository.writing() as connection:
            exposures.register_instrument(connection, instrument, detectors, filters)

    def insert_exposures(self, records: Sequence[ExposureRecord]) -> int:
        """Add exposures and return how many were new; those that are there must be the same."""
        with self._repository.writing() as connection:
            return exposures.insert_exposures(connection, records)

    def instruments(self) -> tuple[InstrumentRecord, ...]:
        """Return all instruments."""
        with self._repository.reading() as connection:
            return tuple(exposures.instruments(connection))

    def detectors(self, instrument: str) -> tuple[DetectorRecord, ...]:
        """Return the detectors of an instrument."""
        with self._repository.reading() as connection:
            return tuple(exposures.detectors_of(connection, instrument))

    def filters(self, instrument: str) -> tuple[FilterRecord, ...]:
        """Return the physical filters of an instrument."""
        with self._repository.reading() as connection:
            return tuple(exposures.filters_of(connection, instrument))

    def exposures(
        self,
        where: str = "",
        *,
        bind: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[ExposureRecord]:
        """Return exposures; for the language of `where` see `registry.query.syntax`."""
        with self._repository.reading() as connection:
            return select_exposures(connection, where, bind=bind or {}, order_by=order_by, limit=limit)

    # -------------------------------------------------------------------------------------- dataset types, collections

    def register_dataset_type(self, *types: DatasetType) -> None:
        """Add dataset types; harmless if they are there with the same properties."""
        with self._repository.writing() as connection:
            register_dataset_types(connection, types)

    def dataset_types(self) -> dict[str, DatasetType]:
        """Return all dataset types by name."""
        with self._repository.reading() as connection:
            return {name: row.type for name, row in dataset_types(connection).items()}

    def register_collection(self, name: str, kind: CollectionKind, doc: str = "") -> None:
        """Add a collection; harmless if it is there with the same kind."""
        with self._repository.writing() as connection:
            collections_sql.register_collection(connection, name, kind, doc=doc, owner=self._repository.actor)

    def set_chain(self, name: str, children: Sequence[str]) -> None:
        """Say which collections a chain searches, in order."""
        with self._repository.writing() as connection:
            collections_sql.set_chain(connection, name, children)
            payload = {"chain": name, "children": list(children)}
            append_event(connection, "chain", actor=self._repository.actor, payload=payload)

    def tag(self, collection: str, refs: Sequence[DatasetRef]) -> int:
        """Put datasets into a TAGGED collection and return how many were new."""
        with self._repository.writing() as connection:
            return collections_sql.tag(connection, collection, refs)

    def collections(self, pattern: str = "*") -> list[CollectionRow]:
        """Return the collections whose name fits a shell pattern."""
        with self._repository.reading() as connection:
            return collections_sql.collections(connection, pattern)

    # -------------------------------------------------------------------------------------------------------- datasets

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
            If its file has another size than it had when it was stored.
        """
        with self._file(ref) as (found, path):
            return self._formatter(found.type).read(path)

    def path(self, ref: DatasetRef | UUID) -> Path:
        """Return where a dataset's file is, for reading only."""
        with self._file(ref) as (_, path):
            return path

    def exists(self, ref: DatasetRef | UUID) -> bool:
        """Say whether a dataset is registered as usable and its file is there with the right size."""
        try:
            self.path(ref)
        except (MissingDataset, CorruptDataset):
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
    ) -> list[dict[str, Any]]:
        """Return exposures, datasets, collections or quanta as plain rows for people.

        Parameters
        ----------
        what
            ``exposures``, ``datasets``, ``collections`` or ``quanta``.
        where
            A condition: ``obs_type = 'science' and day_obs in 20260301..20260331``; see `registry.query.syntax`.
        bind
            Values of ``:name`` in the condition.
        order_by
            Fields to sort by, ``-name`` for descending.
        limit
            At most so many.
        """
        with self._repository.reading() as connection:
            return select_rows(connection, what, where, bind=bind or {}, order_by=order_by, limit=limit)

    # ---------------------------------------------------------------------------------------------------- calibrations

    def certify(
        self,
        collection: str,
        refs: Sequence[DatasetRef],
        span: Timespan,
        *,
        mode: CertifyMode = "idempotent",
        reason: str = "",
        dry_run: bool = False,
    ) -> CertifyDiff:
        """Declare calibrations valid in a range of time; see `registry.sql.calibrations`."""
        with self._repository.changing(dry_run=dry_run) as connection:
            actor = self._repository.actor
            return calibrations.certify(
                connection, collection, refs, span, mode=mode, actor=actor, reason=reason, dry_run=dry_run
            )

    def decertify(
        self,
        collection: str,
        refs: Sequence[DatasetRef],
        span: Timespan = ALL_TIME,
        *,
        reason: str,
        dry_run: bool = False,
    ) -> CertifyDiff:
        """Declare calibrations not valid in a range of time after all; history is kept."""
        with self._repository.changing(dry_run=dry_run) as connection:
            actor = self._repository.actor
            return calibrations.decertify(
                connection, collection, refs, span, actor=actor, reason=reason, dry_run=dry_run
            )

    def validity(
        self,
        collection: str | None = None,
        type: str | None = None,  # noqa: A002
        *,
        as_of: int | None = None,
    ) -> list[ValidityRow]:
        """Return what is certified, now or as of an event."""
        with self._repository.reading() as connection:
            return validity_rows(connection, collection, type, as_of=as_of)

    def resolve(
        self,
        data_ids: Sequence[DataId],
        types: Mapping[str, bool],
        collections: Sequence[str],
        *,
        as_of: int | None = None,
    ) -> Resolution:
        """Find the calibrations of a whole night at once; see `registry.resolve`.

        Parameters
        ----------
        data_ids
            Exposure and detector each.
        types
            Names of dataset types, and whether they are required.
        collections
            Where to look, in order.
        as_of
            Number of an event, to ask what would have been found then.
        """
        from registry.resolve import resolve

        with self._repository.reading() as connection:
            return resolve(connection, data_ids, types, collections, as_of=as_of)

    def explain(
        self,
        exposure: int,
        detector: int,
        type: str,  # noqa: A002
        collections: Sequence[str],
        *,
        instrument: str | None = None,
        as_of: int | None = None,
    ) -> Explanation:
        """Say why a calibration was found for an exposure and detector, or why not; `instrument` if several have it."""
        from registry.explain import explain

        with self._repository.reading() as connection:
            return explain(connection, exposure, detector, type, collections, instrument=instrument, as_of=as_of)

    # ---------------------------------------------------------------------------------------------------------- quanta

    def plan(
        self,
        run: str,
        specs: Sequence[QuantumSpec],
        *,
        config: Mapping[str, Any],
        software: Mapping[str, Any],
        skipped: Sequence[tuple[str, DataId, str]] = (),
        retry_failed: bool = True,
    ) -> list[QuantumRow]:
        """Record work to do, and work that cannot be done with the reason; harmless when repeated.

        What is done is planned again if a product's file is gone; see `registry.planning`.

        Returns
        -------
        list of QuantumRow
            The quanta of `specs`, then those of `skipped`, in their order.
        """
        return plan(
            self._repository,
            run,
            specs,
            config=config,
            software=software,
            skipped=skipped,
            retry_failed=retry_failed,
        )

    def quanta(
        self, run: str | None = None, *, states: Sequence[str] | None = None, day_obs: int | None = None
    ) -> list[QuantumRow]:
        """Return the quanta of a run, in some states, of an observing day."""
        with self._repository.reading() as connection:
            return quanta.quanta(connection, run, states=states, day_obs=day_obs)

    def lease(self, quantum_ids: Sequence[int], worker: str | None = None, seconds: float = 600) -> list[int]:
        """Take quanta that are free, for a time, and return those won; `worker` is this process by default."""
        with self._repository.writing() as connection:
            return leases.lease(connection, quantum_ids, worker or process_token(), seconds)

    def heartbeat(self, quantum_ids: Sequence[int], worker: str | None = None, seconds: float = 600) -> list[int]:
        """Prolong leases and return those still held."""
        with self._repository.writing() as connection:
            return leases.heartbeat(connection, quantum_ids, worker or process_token(), seconds)

    def fail(self, quantum_id: int, worker: str | None, error: QuantumFailure, retriable: bool = True) -> None:
        """Mark a leased quantum failed, and keep how."""
        with self._repository.writing() as connection:
            leases.fail(connection, quantum_id, worker or process_token(), error, retriable=retriable)

    def inputs(self, quantum_id: int) -> QuantumInputs:
        """Return all that goes into a quantum."""
        with self._repository.reading() as connection:
            return quantum_inputs(connection, quantum_id)

    def publish(
        self,
        quantum_id: int | None,
        outputs: Mapping[str, object],
        *,
        run: str,
        data_id: DataId,
        worker: str | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> list[DatasetRef]:
        """Publish all outputs of a quantum and mark it done, in one transaction; see `registry.publish`.

        Parameters
        ----------
        quantum_id
            The quantum; None for outputs that no quantum makes.
        outputs
            Values by dataset type.
        run, data_id
            The RUN collection that will own them, and what they are about.
        worker
            Who has the quantum leased; this process by default.
        metrics
            What the work cost: ``seconds``, ``cpu_s``, ``peak_rss_bytes``, and anything else that JSON can hold.
        """
        work = None if quantum_id is None else Work(quantum_id, worker or process_token(), metrics or {})
        return publish(self._repository, outputs, run=run, data_id=data_id, work=work)

    def recover(self, *, dry_run: bool = False) -> RecoveryReport:
        """Clear up what dead processes left behind, and explain it; see `registry.recover`."""
        return recover(self._repository, dry_run=dry_run)

    # ------------------------------------------------------------------------------------------------------ provenance

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

    # --------------------------------------------------------------------------------------------------------- itself

    def close(self) -> None:
        """Close the database."""
        self._repository.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Butler({str(self.root)!r})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{number}</td></tr>" for name, number in self.stats().items()
        )
        return f"<b>{html.escape(str(self.root))}</b><table>{rows}</table>"

    def _registered(self, ref: DatasetRef | UUID) -> DatasetRef:
        """Return a dataset as the registry has it now."""
        id_ = ref.id if isinstance(ref, DatasetRef) else ref
        with self._repository.reading() as connection:
            found = refs_by_uuid(connection, [id_])
        if id_ not in found:
            raise MissingDataset(f"no dataset {id_} is registered here", id=id_, fix="isrflow query datasets")
        return found[id_]

    @contextmanager
    def _file(self, ref: DatasetRef | UUID) -> Iterator[tuple[DatasetRef, Path]]:
        """Lend the file of a LIVE dataset; a ref that says so is believed as long as its file is there."""
        found = ref if isinstance(ref, DatasetRef) and self._is_as_it_says(ref) else self._registered(ref)
        if found.status != "LIVE" or found.path is None:
            raise MissingDataset(f"{found} cannot be used: it is {found.status}", id=found.id, path=found.path)
        with self._local(found) as path:
            yield found, path

    def _is_as_it_says(self, ref: DatasetRef) -> bool:
        return ref.status == "LIVE" and ref.path is not None and self._repository.size_of(ref.path) == ref.size

    @contextmanager
    def _local(self, ref: DatasetRef) -> Iterator[Path]:
        """Lend a dataset's file, after a look at its size."""
        name = str(ref.path)
        size = self._repository.size_of(name)
        if size is None:
            message = f"the file of {ref} is gone: {name}"
            fix = "restore it from a backup, or run again the command that made it: it makes what is gone"
            raise MissingDataset(message, id=ref.id, path=name, fix=fix)
        if ref.size is not None and size != ref.size:
            message = f"the file of {ref} has {size} bytes instead of {ref.size}: {name}"
            raise CorruptDataset(message, path=name, expected=str(ref.size), found=str(size))
        if name.startswith("/"):
            yield Path(name)
            return
        with self._repository.store.local_copy(name) as path:
            yield path

    def _formatter(self, type_name: str) -> Formatter:
        """Return the format of a dataset type; types never change, so they are asked for once."""
        if type_name not in self._formats:
            self._formats = {name: type_.formatter for name, type_ in self.dataset_types().items()}
        return self._repository.formatter(self._formats[type_name])


def _user() -> str:
    """Return the user's name; there may be none in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _own(url: str, home: Path) -> Path:
    """Return the file that a URL names, which in this version must be the repository's own."""
    path = database_path(url)
    if path.resolve() != home.resolve():
        raise UserError(f"a repository keeps its database in {home}, not in {path}", fix="leave out --db")
    return path
