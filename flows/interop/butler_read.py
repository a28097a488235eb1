"""Reading an `lsst.daf.butler` repository through that package's public interface; nothing there is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from flows.interop import butler_words
from flows.interop.contents import Contents, ForeignCollection, ForeignDataset, ForeignInstrument, Leftovers
from registry.dimensions import ExposureRecord
from registry.errors import UnavailableError, UserError
from registry.refs import DatasetType
from registry.timespan import Timespan

NO_EXTRA = "pip install 'isrflow[butler]'"


@dataclass(frozen=True)
class Wanted:
    """What to take out of a repository, and what to call it here.

    Parameters
    ----------
    collections
        Names or patterns, as butler understands them.
    types
        Dataset types that this repository knows, by name.
    where
        A condition in butler's own language; it limits what belongs to exposures.
    type_names, collection_names
        Names there -> names here, where they differ.
    """

    collections: Sequence[str]
    types: Mapping[str, DatasetType]
    where: str = ""
    type_names: Mapping[str, str] = field(default_factory=dict)
    collection_names: Mapping[str, str] = field(default_factory=dict)


def read_butler(repository: str, wanted: Wanted) -> Contents:
    """Read all that is wanted.

    Raises
    ------
    UnavailableError
        If `lsst-daf-butler` is not installed, or there is no such repository.
    UserError
        If a collection does not exist, or the condition is not one.
    """
    butler = _open(repository)
    try:
        return _Reader(butler, repository, wanted).read()
    finally:
        butler.close()


def _open(repository: str) -> Any:
    try:
        from lsst.daf.butler import Butler
    except ImportError as error:
        message = f"reading {repository} needs lsst-daf-butler, which is not installed"
        raise UnavailableError(message, fix=NO_EXTRA) from error
    try:
        return Butler.from_config(repository, writeable=False)
    except Exception as error:  # whatever its configuration or database raises, the user can but look at the path
        raise UnavailableError(f"{repository} cannot be opened as a butler repository: {error}") from error


class _Reader:
    """One reading; what is met on the way is collected."""

    def __init__(self, butler: Any, where: str, wanted: Wanted) -> None:
        self.butler, self.where, self.wanted = butler, where, wanted
        self.left = Leftovers()
        self.exposures: dict[tuple[str, int], ExposureRecord] = {}
        self.refs: dict[UUID, Any] = {}
        self.runs: dict[str, ForeignCollection] = {}

    def read(self) -> Contents:
        """Read collections, then what is in them, then what that is about."""
        infos = self._collections()
        tags: list[tuple[str, UUID]] = []
        validity: list[tuple[str, Timespan, UUID]] = []
        for info in infos:
            for type_name in sorted(info.dataset_types or ()):
                ours = self._type(type_name)
                if ours is None:
                    continue
                if info.type.name == "CALIBRATION":
                    validity += self._certified(info.name, type_name)
                else:
                    refs = self._members(info.name, type_name, ours)
                    tags += [(self._name(info.name), ref.id) for ref in refs if info.type.name == "TAGGED"]
        datasets = list(self._files())
        there = {dataset.id for dataset in datasets}
        return Contents(
            where=self.where,
            instruments=[self._instrument(name) for name in sorted({one.data_id.instrument for one in datasets})],
            exposures=list(self.exposures.values()),
            collections=[*self._missing_runs(infos), *(self._collection(info) for info in infos)],
            datasets=datasets,
            validity=[row for row in validity if row[2] in there],
            tags=[row for row in tags if row[1] in there],
            left=self.left.all(),
        )

    def _collections(self) -> list[Any]:
        """Return what is known of the collections asked for and of those below them, children first."""
        query, found = self.butler.collections.query_info, {}

        def visit(info: Any) -> None:
            if info.name not in found:
                for child in info.children:
                    visit(query(child, include_summary=True, include_doc=True)[0])
                found[info.name] = info

        with _their_errors():
            for info in query(list(self.wanted.collections), include_summary=True, include_doc=True):
                visit(info)
        if not found:
            names = ", ".join(sorted(info.name for info in query("*"))[:20])
            asked = ", ".join(self.wanted.collections)
            raise UserError(f"{self.where} has no collection {asked}; it has {names}", fix="--collections '*'")
        return list(found.values())

    def _type(self, name: str) -> DatasetType | None:
        """Return the type that datasets of a foreign type will have here; None, with a word in `left`, if none."""
        ours = self.wanted.types.get(self.wanted.type_names.get(name, name))
        what = f"dataset type {name}"
        foreign = self.butler.get_dataset_type(name)
        if ours is None:
            stored = foreign.storageClass_name
            self.left.add(
                what, f"isrflow has no type of this name for its {stored}; if another one fits: --type {name}=NAME"
            )
            return None
        reason = butler_words.mismatch(foreign, ours)
        if reason is not None:
            self.left.add(what, reason)
        return None if reason else ours

    def _members(self, collection: str, type_name: str, ours: DatasetType) -> list[Any]:
        """Return the datasets of a type in a RUN or TAGGED collection, limited by the condition if they are exposed."""
        exposed = "exposure" in ours.dimensions
        with _their_errors():
            refs = self.butler.query_datasets(
                type_name,
                collection,
                find_first=False,
                where=self.wanted.where if exposed else "",
                with_dimension_records=exposed,
                limit=None,
                explain=False,
            )
        return [ref for ref in refs if self._keep(ref, exposed=exposed)]

    def _certified(self, collection: str, type_name: str) -> Iterator[tuple[str, Timespan, UUID]]:
        """Yield what a CALIBRATION collection says of a type."""
        for one in self.butler.registry.queryDatasetAssociations(type_name, collections=[collection]):
            span = None if one.timespan is None else butler_words.timespan(one.timespan)
            if span is None:
                self.left.add(f"validity in {collection}", "it is empty", [str(one.ref)])
            elif self._keep(one.ref, exposed=False):
                yield self._name(collection), span, one.ref.id

    def _keep(self, ref: Any, *, exposed: bool) -> bool:
        """Remember a dataset, and its exposure, unless that cannot be told here."""
        if exposed:
            record = ref.dataId.records["exposure"]
            key = (record.instrument, record.id)
            if key not in self.exposures:
                told = butler_words.exposure(record)
                if isinstance(told, str):
                    self.left.add("exposures", told, [f"{record.instrument} {record.id}"])
                    return False
                self.exposures[key] = told
        self.refs[ref.id] = ref
        return True

    def _files(self) -> Iterator[ForeignDataset]:
        """Yield the datasets that are one file here."""
        refs = list(self.refs.values())
        uris = self.butler.get_many_uris(refs, allow_missing=True)
        for ref in refs:
            path = self._path(ref, uris.get(ref))
            ours = self.wanted.types[self.wanted.type_names.get(ref.datasetType.name, ref.datasetType.name)]
            if path is not None:
                data_id = butler_words.data_id(dict(ref.dataId.mapping), ours)
                yield ForeignDataset(ref.id, ours.name, self._name(ref.run), data_id, path)

    def _path(self, ref: Any, found: Any) -> Path | None:
        """Return where a dataset's file is; None, and a word about it, if there is not one file on this machine."""
        uri = None if found is None else found.primaryURI
        what = f"files of {ref.datasetType.name}"
        if uri is None:
            reason = "they are registered, but not stored" if found is None or not found.componentURIs else "in pieces"
            self.left.add(what, reason, [str(ref)])
        elif not uri.isLocal:
            self.left.add(what, f"they are not on this machine's file systems but at {uri.scheme}:", [str(uri)])
        elif uri.fragment:
            self.left.add(what, "they are inside an archive", [str(uri)])
        else:
            return Path(uri.ospath)
        return None

    def _instrument(self, name: str) -> ForeignInstrument:
        """Return an instrument as a whole: its detectors and filters are few."""
        ask = self.butler.query_dimension_records
        options: dict[str, Any] = {"limit": None, "explain": False}
        (record,) = ask("instrument", instrument=name, **options)
        days = [day for day in ask("day_obs", instrument=name, **options) if day.timespan is not None]
        return ForeignInstrument(
            butler_words.instrument(record, days[0] if days else None),
            tuple(butler_words.detector(one) for one in ask("detector", instrument=name, **options)),
            tuple(butler_words.physical_filter(one) for one in ask("physical_filter", instrument=name, **options)),
        )

    def _collection(self, info: Any) -> ForeignCollection:
        children = tuple(self._name(child) for child in info.children)
        return ForeignCollection(self._name(info.name), info.type.name, info.doc or "", children)

    def _missing_runs(self, infos: Iterable[Any]) -> list[ForeignCollection]:
        """Return the runs that own what other collections hold, and were not asked for themselves."""
        named = {info.name for info in infos}
        runs = sorted({ref.run for ref in self.refs.values()} - named)
        return [ForeignCollection(self._name(run), "RUN") for run in runs]

    def _name(self, collection: str) -> str:
        return self.wanted.collection_names.get(collection, collection)


class _their_errors:  # noqa: N801 - reads as what it is in a with statement
    """Turns errors about what the user asked for into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        from lsst.daf.butler import ButlerUserError

        if isinstance(error, ButlerUserError):
            raise UserError(
                f"daf_butler says: {error}", fix="--collections and --where in daf_butler's own words"
            ) from error
