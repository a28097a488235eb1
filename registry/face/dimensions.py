"""What a repository knows of instruments and exposures, and types of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.face.base import Face
from registry.query.run import select_exposures
from registry.refs import DatasetType
from registry.sql import exposures
from registry.sql.dataset_types import dataset_types, register_dataset_types


class DescribingFace(Face):
    """Instruments, exposures, dataset types."""

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

    def register_dataset_type(self, *types: DatasetType) -> None:
        """Add dataset types; harmless if they are there with the same properties."""
        with self._repository.writing() as connection:
            register_dataset_types(connection, types)

    def dataset_types(self) -> dict[str, DatasetType]:
        """Return all dataset types by name."""
        with self._repository.reading() as connection:
            return {name: row.type for name, row in dataset_types(connection).items()}
