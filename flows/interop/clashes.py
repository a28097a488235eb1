"""Everything in which another repository contradicts this one, found before anything is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from uuid import UUID

from flows.interop.contents import Contents, ForeignDataset
from registry.butler import Butler
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord
from registry.refs import DataId, dataset_uuid
from registry.sql.validity_rows import ValidityRow


def here_id(dataset: ForeignDataset) -> UUID:
    """Return the id that a dataset has, or will have, here."""
    return dataset_uuid(dataset.run, dataset.type, dataset.data_id)


def clashes(butler: Butler, contents: Contents) -> list[str]:
    """Return a line for everything that exists here and is said otherwise there."""
    return [
        *_of_instruments(butler, contents),
        *_of_exposures(butler, contents),
        *_of_collections(butler, contents),
        *_of_validity(butler, contents),
        *_within(contents),
    ]


def known_exposures(butler: Butler, contents: Contents) -> dict[tuple[str, int], ExposureRecord]:
    """Return those of the exposures that are here."""
    wanted = {(record.instrument, record.id) for record in contents.exposures}
    return {key: record for record in butler.exposures() if (key := (record.instrument, record.id)) in wanted}


def _of_instruments(butler: Butler, contents: Contents) -> Iterator[str]:
    """Compare names and bands; of the rest this repository may well know more (serial numbers)."""
    known = {record.name for record in butler.instruments()}
    for one in contents.instruments:
        name = one.record.name
        if name not in known:
            continue
        detectors: dict[int, DetectorRecord] = {record.id: record for record in butler.detectors(name)}
        filters: dict[str, FilterRecord] = {record.name: record for record in butler.filters(name)}
        for detector in one.detectors:
            ours = detectors.get(detector.id)
            if ours is not None and ours.name != detector.name:
                yield f"detector {detector.id} of {name} is {ours.name} here, {detector.name} there"
        for filter_ in one.filters:
            ours_filter = filters.get(filter_.name)
            if ours_filter is not None and filter_.band and ours_filter.band not in {"", filter_.band}:
                yield f"filter {filter_.name} of {name} is of band {ours_filter.band} here, {filter_.band} there"


def _of_exposures(butler: Butler, contents: Contents) -> Iterator[str]:
    known = known_exposures(butler, contents)
    for record in contents.exposures:
        ours = known.get((record.instrument, record.id))
        if ours is not None and ours != record:
            differing = [name for name in _names(record) if getattr(ours, name) != getattr(record, name)]
            said = "; ".join(f"{n} {getattr(ours, n)!r} here, {getattr(record, n)!r} there" for n in differing)
            yield f"exposure {record.id} of {record.instrument}: {said}"


def _of_collections(butler: Butler, contents: Contents) -> Iterator[str]:
    known = {row.name: row for row in butler.collections()}
    for one in contents.collections:
        ours = known.get(one.name)
        if ours is None:
            continue
        if ours.kind != one.kind:
            yield f"collection {one.name} is {ours.kind} here, {one.kind} there"
        elif one.kind == "CHAINED" and ours.children and ours.children != one.children:
            here, there = ", ".join(ours.children), ", ".join(one.children)
            yield f"chain {one.name} searches {here} here, {there} there"


def _of_validity(butler: Butler, contents: Contents) -> Iterator[str]:
    """Ranges in which this repository holds another dataset valid."""
    there = {row.name for row in butler.collections() if row.kind == "CALIBRATION"}
    rows: defaultdict[tuple[str, str, DataId], list[ValidityRow]] = defaultdict(list)
    for name in sorted({collection for collection, _, _ in contents.validity} & there):
        for row in butler.validity(name):
            rows[name, row.type, row.data_id].append(row)
    datasets = {dataset.id: dataset for dataset in contents.datasets}
    for collection, span, id_ in contents.validity:
        dataset = datasets[id_]
        for row in rows.get((collection, dataset.type, dataset.data_id), ()):
            if row.span.overlaps(span) and row.dataset != here_id(dataset):
                yield f"{dataset.type} {dataset.data_id} is valid {span} there; here {row}"


def _within(contents: Contents) -> Iterator[str]:
    """Datasets that would become one here, because of how types or collections are to be called."""
    holder: dict[UUID, ForeignDataset] = {}
    for dataset in contents.datasets:
        first = holder.setdefault(here_id(dataset), dataset)
        if first.path != dataset.path:
            what = f"{dataset.type} {dataset.data_id} in {dataset.run}"
            yield f"{what} is two files there: {first.path} and {dataset.path}"


def _names(record: Any) -> list[str]:
    return [one.name for one in fields(record)]
