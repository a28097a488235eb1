"""The work given to isrflow's registry, through its public interface."""

from __future__ import annotations

import time
from pathlib import Path

from json_formatter import JsonFormatter
from registry_crowd import crowd, shares, timed_puts
from registry_workload import CALIBS, FILTERED, INSTRUMENT, NIGHT, VALUE, Measure, Results, Workload, path_of

from registry.butler import Butler
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.ingest import IngestItem
from registry.refs import DataId, DatasetRef, DatasetType, QuantumSpec, dataset_uuid
from registry.sql.database import write
from registry.sql.datasets import insert_datasets
from registry.timespan import Timespan

TYPES = dict.fromkeys(CALIBS, True)
EXPOSED = ("instrument", "exposure", "detector")


class OurSide:
    """A repository of isrflow, being measured."""

    def __init__(self, work: Workload, root: Path, url: str | None, files: Path) -> None:
        self.work, self.root, self.url, self.files = work, root, url, files
        self.results = Results()

    def run(self) -> Results:
        do, work = self.results, self.work
        do.once("create", 1, self.create)
        do.once("describe", 1, self.describe)
        do.once("ingest", work.quanta, self.ingest)
        calibs = do.once("ingest calibrations", work.detectors * work.epochs * len(CALIBS), self.ingest_calibs)
        do.once("certify", work.detectors * work.epochs * len(CALIBS), lambda: self.certify(calibs))
        do.one_by_one("find one", work.spread(work.finds), self.find_one)
        do.once("query a night", work.quanta, self.query_night, runs=3)
        specs = do.once("resolve a night", work.resolutions, self.resolve_night, runs=3)
        do.once("persist the quanta", work.quanta, lambda: self.plan(specs))
        do.once("load the quanta", work.quanta, self.load_quanta)
        self.per_quantum()
        refs = do.one_by_one("put", work.spread(work.puts), self.put)
        do.one_by_one("get by ref", refs, self.butler.get)
        do.one_by_one("get by data id", work.spread(work.puts), self.get_by_data_id)
        do.memory()
        self.writers()
        self.age()
        do.one_by_one("find one, long history", work.spread(work.finds), self.find_one)
        do.once("query a night, long history", work.quanta, self.query_night, runs=3)
        do.once("resolve a night, long history", work.resolutions, self.resolve_night, runs=3)
        return do

    def create(self) -> None:
        self.butler = Butler.create(self.root, url=self.url, formatters={"json": JsonFormatter()}, actor="bench")

    def describe(self) -> None:
        work, butler = self.work, self.butler
        detectors = [DetectorRecord(INSTRUMENT, d, f"D{d}") for d in range(work.detectors)]
        butler.register_instrument(InstrumentRecord(INSTRUMENT), detectors, [FilterRecord(INSTRUMENT, "r", "r")])
        exposed = [DatasetType(name, EXPOSED, "json") for name in ("raw", "product", "crowd", "statistics")]
        calibs = [DatasetType(name, dimensions(name), "json", is_calibration=True) for name in CALIBS]
        butler.register_dataset_type(*exposed, *calibs)
        butler.register_collection("calib", "CALIBRATION")
        for run in ("raw/all", "products", "night", "crowd", *(f"calibs/{i}" for i in range(work.epochs))):
            butler.register_collection(run, "RUN")
        butler.insert_exposures([exposure(work, number) for number in work.exposure_ids()])

    def ingest(self) -> None:
        items = [
            IngestItem(path_of(self.files, "raw", e, d), "raw", DataId(INSTRUMENT, e, d))
            for e in self.work.exposure_ids()
            for d in range(self.work.detectors)
        ]
        assert len(self.butler.ingest(items, "raw/all", transfer="direct").refs) == self.work.quanta

    def ingest_calibs(self) -> dict[int, list[DatasetRef]]:
        refs = {}
        for epoch in range(self.work.epochs):
            items = [
                IngestItem(path_of(self.files, kind, epoch, d), kind, calib_id(kind, d))
                for kind in CALIBS
                for d in range(self.work.detectors)
            ]
            refs[epoch] = self.butler.ingest(items, f"calibs/{epoch}", transfer="direct").refs
        return refs

    def certify(self, calibs: dict[int, list[DatasetRef]]) -> None:
        for epoch, refs in calibs.items():
            self.butler.certify("calib", refs, Timespan(*self.work.valid_ns(epoch)))

    def find_one(self, pair: tuple[int, int]) -> None:
        assert self.butler.find_calibration("bias", DataId(INSTRUMENT, *pair), ["calib"])

    def query_night(self) -> None:
        assert len(self.butler.datasets(f"day_obs = {NIGHT}", type="raw")) == self.work.quanta

    def resolve_night(self) -> list[QuantumSpec]:
        data_ids = [DataId(INSTRUMENT, e, d) for e in self.work.exposure_ids() for d in range(self.work.detectors)]
        found = self.butler.resolve(data_ids, TYPES, ["calib"])
        assert not found.missing
        return [
            QuantumSpec("isr", i, (("raw", dataset_uuid("raw/all", "raw", i)),), tuple(found.matches[i].items()), "key")
            for i in data_ids
        ]

    def plan(self, specs: list[QuantumSpec]) -> None:
        self.butler.plan("night", specs, config={"a": 1}, software={"numpy": "2"})

    def load_quanta(self) -> None:
        assert len(self.butler.quanta("night", day_obs=NIGHT)) == self.work.quanta

    def per_quantum(self) -> None:
        """Take quanta one by one through lease, inputs and durable publication of two products."""
        rows = self.butler.quanta("night")

        def through(one: int) -> None:
            self.butler.lease([one], "bench")
            data_id = self.butler.inputs(one).quantum.data_id
            outputs = {"product": VALUE, "statistics": VALUE}
            self.butler.publish(one, outputs, run="night", data_id=data_id, worker="bench")

        self.results.one_by_one("one quantum", [row.id for row in rows[:: max(1, len(rows) // 50)]][:50], through)

    def put(self, pair: tuple[int, int]) -> DatasetRef:
        return self.butler.put(VALUE, "product", DataId(INSTRUMENT, *pair), "products")

    def get_by_data_id(self, pair: tuple[int, int]) -> None:
        found = self.butler.find("product", DataId(INSTRUMENT, *pair), ["products"])
        assert found is not None
        assert self.butler.get(found) == VALUE

    def writers(self) -> None:
        self.results.measures["writers"] = crowd(_put_share, [(self.root, share) for share in shares(self.work)])

    def age(self) -> None:
        """Add many years of calibrations before the others, as rows without files."""
        started, added = time.perf_counter(), 0
        for epoch in range(self.work.epochs, self.work.many_epochs):
            run = f"calibs/{epoch}"
            self.butler.register_collection(run, "RUN")
            ids = [(kind, calib_id(kind, d)) for kind in CALIBS for d in range(self.work.detectors)]
            refs = [DatasetRef(dataset_uuid(run, kind, data_id), kind, run, data_id) for kind, data_id in ids]
            with write(self.butler._repository.engine) as connection:  # noqa: SLF001 - no public way without files
                insert_datasets(connection, refs)
            self.butler.certify("calib", refs, Timespan(*self.work.valid_ns(epoch)))
            added += len(refs)
        self.results.measures["age"] = Measure(added, time.perf_counter() - started)


def calib_id(kind: str, detector: int) -> DataId:
    return DataId(INSTRUMENT, None, detector, "r" if kind in FILTERED else None)


def dimensions(kind: str) -> tuple[str, ...]:
    return ("instrument", "detector", "physical_filter") if kind in FILTERED else ("instrument", "detector")


def exposure(work: Workload, number: int) -> ExposureRecord:
    begin, end = work.exposed_ns(number)
    names = (INSTRUMENT, number, str(number), NIGHT, number % 1000, "r", "science", "field")
    return ExposureRecord(*names, begin, end, 30.0)


def _put_share(root: Path, pairs: list[tuple[int, int]]) -> tuple[list[float], float, float, list[str]]:
    with Butler(root, formatters={"json": JsonFormatter()}, actor="bench") as butler:
        butler.put(VALUE, "crowd", DataId(INSTRUMENT, *pairs[0]), "crowd")  # the first one imports
        return timed_puts(lambda pair: butler.put(VALUE, "crowd", DataId(INSTRUMENT, *pair), "crowd"), pairs[1:])
