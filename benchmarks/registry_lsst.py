"""The same work given to `lsst-daf-butler`, through its public interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry_crowd import crowd, shares, timed_puts
from registry_workload import BEGIN_NS, CALIBS, FILTERED, INSTRUMENT, NIGHT, VALUE, Measure, Results, Workload, path_of


class LsstSide:
    """A repository of daf_butler, being measured."""

    def __init__(self, work: Workload, root: Path, url: str | None, files: Path) -> None:
        import lsst.daf.butler  # noqa: F401 - importing it is not part of making a repository

        self.work, self.root, self.url, self.files = work, root, url, files
        self.results = Results()
        self.types: dict[str, Any] = {}

    def run(self) -> Results:
        do, work = self.results, self.work
        do.once("create", 1, self.create)
        do.once("describe", 1, self.describe)
        raws = do.once("ingest", work.quanta, self.ingest)
        calibs = do.once("ingest calibrations", work.detectors * work.epochs * len(CALIBS), self.ingest_calibs)
        do.once("certify", work.detectors * work.epochs * len(CALIBS), lambda: self.certify(calibs))
        do.one_by_one("find one", work.spread(work.finds), self.find_one)
        do.once("query a night", work.quanta, self.query_night, runs=3)
        do.once("resolve a night", work.resolutions, self.resolve_night)
        self._quanta_by_find()
        refs = do.one_by_one("put", work.spread(work.puts), lambda pair: self.put("products", pair))
        do.one_by_one("get by ref", refs, self.butler.get)
        do.one_by_one("get by data id", work.spread(work.puts), self.get_by_data_id)
        do.memory()
        self.writers()
        assert len(raws) == work.quanta
        return do

    def create(self) -> None:
        from lsst.daf.butler import Butler, Config

        config = Config({"registry": {"db": self.url}}) if self.url else None
        Butler.makeRepo(str(self.root), config=config)
        self.butler = Butler.from_config(str(self.root), writeable=True)
        self.registry = self.butler.registry

    def describe(self) -> None:
        from lsst.daf.butler import CollectionType, DatasetType

        insert, work = self.registry.insertDimensionData, self.work
        one = {"instrument": INSTRUMENT}
        limits = {"detector_max": 1000, "visit_max": 10**12, "exposure_max": 10**12}
        insert("instrument", {"name": INSTRUMENT, "class_name": "none", **limits})
        insert("detector", *[{**one, "id": d, "full_name": f"D{d}"} for d in range(work.detectors)])
        insert("physical_filter", {**one, "name": "r", "band": "r"})
        insert("day_obs", {**one, "id": NIGHT})
        insert("group", *[{**one, "name": str(e)} for e in work.exposure_ids()])
        insert("exposure", *[one | self._exposure(e) for e in work.exposure_ids()])
        exposed = ("instrument", "exposure", "detector")
        for name, dimensions in [(name, exposed) for name in ("raw", "product", "crowd")] + [
            (name, ("instrument", "detector", *(["physical_filter"] if name in FILTERED else []))) for name in CALIBS
        ]:
            self.types[name] = DatasetType(
                name, dimensions, "StructuredDataDict", universe=self.butler.dimensions, isCalibration=name in CALIBS
            )
            self.registry.registerDatasetType(self.types[name])
        self.butler.collections.register("calib", CollectionType.CALIBRATION)
        for run in ("raw/all", "products", "crowd", *(f"calibs/{i}" for i in range(work.epochs))):
            self.butler.collections.register(run)

    def _exposure(self, number: int) -> dict[str, Any]:
        names = {"id": number, "day_obs": NIGHT, "group": str(number), "physical_filter": "r", "obs_id": str(number)}
        facts = {"exposure_time": 30.0, "observation_type": "science", "seq_num": number % 1000}
        return names | facts | {"timespan": _timespan(*self.work.exposed_ns(number))}

    def ingest(self) -> list[Any]:
        pairs = [(e, d) for e in self.work.exposure_ids() for d in range(self.work.detectors)]
        refs = [self._ref("raw", "raw/all", exposure=e, detector=d) for e, d in pairs]
        self._ingest(refs, [path_of(self.files, "raw", *pair) for pair in pairs])
        return refs

    def ingest_calibs(self) -> dict[int, list[Any]]:
        detectors, refs = range(self.work.detectors), {}
        for epoch in range(self.work.epochs):
            refs[epoch] = []
            for kind in CALIBS:
                more = {"physical_filter": "r"} if kind in FILTERED else {}
                some = [self._ref(kind, f"calibs/{epoch}", detector=d, **more) for d in detectors]
                self._ingest(some, [path_of(self.files, kind, epoch, d) for d in detectors])
                refs[epoch] += some
        return refs

    def certify(self, calibs: dict[int, list[Any]]) -> None:
        for epoch, refs in calibs.items():
            self.registry.certify("calib", refs, _timespan(*self.work.valid_ns(epoch)))

    def find_one(self, pair: tuple[int, int]) -> None:
        span = _timespan(*self.work.exposed_ns(pair[0]))
        found = self.butler.find_dataset(
            "bias", instrument=INSTRUMENT, detector=pair[1], collections=["calib"], timespan=span
        )
        assert found is not None

    def query_night(self) -> None:
        where = f"instrument = '{INSTRUMENT}' AND exposure.day_obs = {NIGHT}"
        found = self.butler.query_datasets("raw", "raw/all", where=where, limit=None)
        assert len(found) == self.work.quanta

    def resolve_night(self) -> None:
        """One set query a type, as its query system offers; no diagnosis of what is missing, no merging into quanta."""
        for kind in CALIBS:
            with self.butler.query() as query:
                joined = query.join_dataset_search("raw", ["raw/all"]).join_dataset_search(kind, ["calib"])
                night = joined.where(instrument=INSTRUMENT, day_obs=NIGHT)
                fields = {kind: {"dataset_id"}}
                rows = list(night.general(["exposure", "detector"], dataset_fields=fields, find_first=True))
            assert len(rows) == self.work.quanta

    def _quanta_by_find(self) -> None:
        one = self.results.measures["find one"].median
        count = self.work.resolutions
        self.results.measures["persist the quanta"] = Measure(
            self.work.quanta, one * count, note=f"{count} x find_dataset, extrapolated; nothing is stored"
        )

    def put(self, run: str, pair: tuple[int, int]) -> Any:
        kind = "crowd" if run == "crowd" else "product"
        return self.butler.put(VALUE, kind, instrument=INSTRUMENT, exposure=pair[0], detector=pair[1], run=run)

    def get_by_data_id(self, pair: tuple[int, int]) -> None:
        where = {"instrument": INSTRUMENT, "exposure": pair[0], "detector": pair[1]}
        assert self.butler.get("product", collections=["products"], **where) == VALUE

    def writers(self) -> None:
        self.results.measures["writers"] = crowd(_put_share, [(self.root, share) for share in shares(self.work)])

    def _ref(self, kind: str, run: str, **data_id: Any) -> Any:
        from lsst.daf.butler import DataCoordinate, DatasetRef

        universe = self.butler.dimensions
        return DatasetRef(
            self.types[kind], DataCoordinate.standardize(instrument=INSTRUMENT, universe=universe, **data_id), run
        )

    def _ingest(self, refs: list[Any], paths: list[Path]) -> None:
        from lsst.daf.butler import FileDataset

        files = [FileDataset(str(path), ref) for path, ref in zip(paths, refs, strict=True)]
        self.butler.ingest(*files, transfer="direct")


def _put_share(root: Path, pairs: list[tuple[int, int]]) -> tuple[list[float], float, float, list[str]]:
    from lsst.daf.butler import Butler

    butler = Butler.from_config(str(root), writeable=True)

    def put(pair: tuple[int, int]) -> None:
        butler.put(VALUE, "crowd", instrument=INSTRUMENT, exposure=pair[0], detector=pair[1], run="crowd")

    put(pairs[0])  # the first one imports
    return timed_puts(put, pairs[1:])


def _timespan(begin_ns: int, end_ns: int) -> Any:
    from astropy.time import Time, TimeDelta
    from lsst.daf.butler import Timespan

    def at(ns: int) -> Any:
        seconds = (ns - BEGIN_NS) // 1_000_000_000
        return Time("2026-03-01T00:00:37", scale="tai", format="isot") + TimeDelta(seconds, format="sec")

    return Timespan(at(begin_ns), at(end_ns))
