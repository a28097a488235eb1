"""A small registry without files.

Three detectors, two filters, calibrations and exposures at instants that are small integers.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.migrate import create_database
from registry.refs import DataId, DatasetRef, DatasetType, dataset_uuid
from registry.sql.calibrations import CertifyDiff, certify, decertify
from registry.sql.collections import register_collection
from registry.sql.database import make_engine, read, write
from registry.sql.dataset_types import register_dataset_types
from registry.sql.datasets import insert_datasets
from registry.sql.exposures import insert_exposures, register_instrument
from registry.timespan import Timespan
from tests.postgres import server, template

LUPINE = InstrumentRecord("lupine", 43200.0)
DETECTORS = [DetectorRecord("lupine", i, f"D{i}", f"serial-{i}") for i in range(3)]
FILTERS = [FilterRecord("lupine", "r", "red"), FilterRecord("lupine", "g", "green")]
TYPES = [
    DatasetType("raw", ("instrument", "exposure", "detector"), "fits"),
    DatasetType("bias", ("instrument", "detector"), "fits", is_calibration=True),
    DatasetType("flat", ("instrument", "detector", "physical_filter"), "fits", is_calibration=True),
    DatasetType("camera", ("instrument",), "yaml", is_calibration=True),
]


class World:
    """The database and the few verbs that tests need; every verb is its own transaction."""

    def __init__(self, folder: Path, kind: str = "sqlite") -> None:
        self.kind = kind
        self.path = folder / "registry.sqlite3"
        self.address: Path | str = self.path
        if kind == "sqlite":
            shutil.copy(_template(), self.path)
        else:
            self.address = server().new_database(template("isrflow_world", _fill))
        self.engine = make_engine(self.address, busy_timeout_s=5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        self.engine.dispose()
        if self.kind == "postgresql":
            server().drop_database(str(self.address))

    def read(self):
        return read(self.engine)

    def write(self):
        return write(self.engine)

    def expose(self, number: int, begin: int, end: int, physical_filter: str | None = "r") -> DataId:
        """Add an exposure; return its data id on detector 0."""
        record = ExposureRecord(
            *(
                "lupine",
                number,
                f"obs-{number}",
                20260301,
                number,
                physical_filter,
                "science",
                "field",
                begin,
                end,
                30.0,
            )
        )
        with self.write() as connection:
            insert_exposures(connection, [record])
        return DataId("lupine", number, 0)

    def calib(self, run: str, kind: str = "bias", detector: int = 0, physical_filter: str | None = None) -> DatasetRef:
        """Add a calibration to a run."""
        data_id = DataId("lupine", None, None if kind == "camera" else detector, physical_filter)
        return self.dataset(run, kind, data_id)

    def dataset(self, run: str, kind: str, data_id: DataId, status: str = "LIVE") -> DatasetRef:
        ref = DatasetRef(dataset_uuid(run, kind, data_id), kind, run, data_id, status=status)
        with self.write() as connection:
            register_collection(connection, run, "RUN")
            insert_datasets(connection, [ref])
        return ref

    def certify(self, refs, begin: int, end: int, collection: str = "calib", **options) -> CertifyDiff:
        with self.write() as connection:
            register_collection(connection, collection, "CALIBRATION")
            span = Timespan(begin, end)
            return certify(connection, collection, _listed(refs), span, **{"actor": "ada", **options})

    def decertify(self, refs, begin: int, end: int, collection: str = "calib", **options) -> CertifyDiff:
        with self.write() as connection:
            span = Timespan(begin, end)
            return decertify(connection, collection, _listed(refs), span, **{"actor": "bob", **options})

    def sql(self, statement: str, *values: object) -> list:
        """Run SQL as a vandal or a bug would; values stand for question marks."""
        with self.write() as connection:
            if self.kind == "postgresql":
                statement = statement.replace("%", "%%").replace("?", "%s")
            result = connection.exec_driver_sql(statement, values)
            return result.all() if result.returns_rows else []


def drop_guard(connection, table: str, name: str) -> None:
    """Take a trigger away, as somebody with the file or the owner's password could."""
    where = f" ON {table}" if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(f"DROP TRIGGER {name}{where}")


def _listed(refs) -> list[DatasetRef]:
    return [refs] if isinstance(refs, DatasetRef) else list(refs)


@cache
def _template() -> Path:
    """Make, once, a registry with an instrument and dataset types; migrations take longer than most tests."""
    path = Path(mkdtemp(prefix="isrflow-test-")) / "template.sqlite3"
    _fill(path)  # the last connection folds the write-ahead log into the file
    return path


def _fill(where: Path | str) -> None:
    create_database(where)
    engine = make_engine(where)
    with write(engine) as connection:
        register_instrument(connection, LUPINE, DETECTORS, FILTERS)
        register_dataset_types(connection, TYPES)
    engine.dispose()
