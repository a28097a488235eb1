"""Many nights that were processed long ago: raws, calibrations, quanta with what they read and made; rows, one file.

What plans and resolves does it by its public ways; what only workers do (publish 378,000 products) is written as rows.
All datasets name one and the same file in place, so that looking at files costs what it costs and no disk is filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from json_formatter import JsonFormatter
from sqlalchemy import update

from registry.butler import Butler
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.refs import DataId, DatasetRef, DatasetType, QuantumRow, QuantumSpec, dataset_uuid
from registry.sql import tables as t
from registry.sql.bulk import insert_rows
from registry.sql.database import write
from registry.sql.datasets import insert_datasets
from registry.times import SECOND_NS, parse_time
from registry.timespan import Timespan

INSTRUMENT = "big"
FIRST_DAY = 20260301
DAY_NS = 86_400 * SECOND_NS
CALIBS = ("bias", "dark", "defects", "linearizer", "crosstalk", "flat", "fringe")
FILTERED = ("flat", "fringe")
EXPOSED = ("instrument", "exposure", "detector")
FORMATTERS = {"json": JsonFormatter()}


@dataclass(frozen=True)
class History:
    """How much of everything; calibrations are new for every `days_valid` nights."""

    nights: int
    detectors: int
    exposures: int
    days_valid: int = 5

    @property
    def quanta(self) -> int:
        return self.nights * self.detectors * self.exposures

    @property
    def epochs(self) -> int:
        return -(-self.nights // self.days_valid)

    def day(self, night: int) -> int:
        return FIRST_DAY + night

    def run(self, night: int) -> str:
        return f"night/{self.day(night)}"

    def begin_ns(self, night: int) -> int:
        return parse_time(str(FIRST_DAY)) + night * DAY_NS

    def exposure(self, night: int, i: int) -> ExposureRecord:
        day, begin = self.day(night), self.begin_ns(night) + i * 60 * SECOND_NS
        names = (INSTRUMENT, day * 1000 + i, f"{day}-{i}", day, i, "r", "science", "field")
        return ExposureRecord(*names, begin, begin + 30 * SECOND_NS, 30.0)

    def data_ids(self, night: int) -> list[DataId]:
        numbers = [self.day(night) * 1000 + i for i in range(self.exposures)]
        return [DataId(INSTRUMENT, number, detector) for number in numbers for detector in range(self.detectors)]


def load(butler: Butler, history: History, file: Path) -> Iterator[int]:
    """Fill an empty repository, yielding the number of every night that is done."""
    _describe(butler, history)
    for epoch in range(history.epochs):
        _calibrate(butler, history, epoch, file)
    for night in range(history.nights):
        records = [history.exposure(night, i) for i in range(history.exposures)]
        butler.insert_exposures(records)
        data_ids = history.data_ids(night)
        _insert(butler, [_ref("raw/all", "raw", one, file) for one in data_ids])
        process(butler, data_ids, history.run(night), file)
        yield night


def process(butler: Butler, data_ids: Sequence[DataId], run: str, file: Path) -> list[QuantumRow]:
    """Resolve, plan, and record the products as if workers had made them."""
    butler.register_collection(run, "RUN")
    found = butler.resolve(data_ids, dict.fromkeys(CALIBS, True), ["calib"])
    specs = [
        QuantumSpec("isr", i, (("raw", dataset_uuid("raw/all", "raw", i)),), tuple(found.matches[i].items()), str(i))
        for i in data_ids
    ]
    rows = butler.plan(run, specs, config={"a": 1}, software={"numpy": "2"})
    refs = [_ref(run, "product", row.data_id, file) for row in rows]
    with write(butler._repository.engine) as connection:  # noqa: SLF001 - what workers do one by one
        datasets = insert_datasets(connection, refs)
        made = [
            {"dataset_id": datasets[r.id], "quantum_id": q.id, "role": "product"}
            for r, q in zip(refs, rows, strict=True)
        ]
        attempt = {"number": 1, "worker": "w", "host": "h", "outcome": "done", "started_ns": 1, "ended_ns": 2}
        insert_rows(connection, t.quantum_attempt, [attempt | {"quantum_id": q.id, "seconds": 1.0} for q in rows])
        insert_rows(connection, t.quantum_output, made)
        ids = [q.id for q in rows]
        done = update(t.quantum).where(t.quantum.c.id.between(min(ids), max(ids)))
        connection.execute(done.values(state="done", attempt=1))
    return rows


def flat_of(detector: int, epoch: int = 0) -> DatasetRef:
    """Return a flat: it was used by one detector for some nights."""
    run = f"calibs/{epoch}"
    data_id = DataId(INSTRUMENT, None, detector, "r")
    return DatasetRef(dataset_uuid(run, "flat", data_id), "flat", run, data_id)


def _describe(butler: Butler, history: History) -> None:
    detectors = [DetectorRecord(INSTRUMENT, d, f"D{d}") for d in range(history.detectors)]
    butler.register_instrument(InstrumentRecord(INSTRUMENT), detectors, [FilterRecord(INSTRUMENT, "r", "r")])
    butler.register_dataset_type(
        *(DatasetType(name, EXPOSED, "json") for name in ("raw", "product")),
        *(DatasetType(name, _dimensions(name), "json", is_calibration=True) for name in CALIBS),
    )
    butler.register_collection("calib", "CALIBRATION")
    butler.register_collection("raw/all", "RUN")


def _calibrate(butler: Butler, history: History, epoch: int, file: Path) -> None:
    run = f"calibs/{epoch}"
    butler.register_collection(run, "RUN")
    refs = [
        _ref(run, name, DataId(INSTRUMENT, None, d, "r" if name in FILTERED else None), file)
        for name in CALIBS
        for d in range(history.detectors)
    ]
    _insert(butler, refs)
    begin = history.begin_ns(epoch * history.days_valid)
    butler.certify("calib", refs, Timespan(begin, begin + history.days_valid * DAY_NS))


def _insert(butler: Butler, refs: Sequence[DatasetRef]) -> None:
    with write(butler._repository.engine) as connection:  # noqa: SLF001 - rows without files of their own
        insert_datasets(connection, refs)


def _ref(run: str, kind: str, data_id: DataId, file: Path) -> DatasetRef:
    id_ = dataset_uuid(run, kind, data_id)
    sha256 = id_.hex * 2  # a content of its own
    return DatasetRef(id_, kind, run, data_id, sha256, sha256, file.stat().st_size, str(file))


def _dimensions(name: str) -> tuple[str, ...]:
    return ("instrument", "detector", "physical_filter") if name in FILTERED else ("instrument", "detector")
