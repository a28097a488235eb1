"""What the registry costs: a big night resolved and planned, and one quantum through all its transactions.

The night is 189 detectors x 100 exposures with 7 calibration types. Budgets: resolved in 1.5 s, planned in 3 s; the
transactions of a quantum well under 5 % of one that takes a second; with four processes writing at once, 99 of 100
datasets stored within 0.1 s each. Wall times, with the processor's beside them: a
busy machine stretches only the first.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry.butler import Butler
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.refs import DataId, DatasetRef, DatasetType, QuantumSpec, dataset_uuid
from registry.sql.database import open_database, write
from registry.sql.datasets import insert_datasets
from registry.times import SECOND_NS, parse_time
from registry.timespan import Timespan

DETECTORS, EXPOSURES, EPOCHS = 189, 100, 12
QUANTA = 100
WRITERS, PUTS = 4, 50
NIGHT = 20260301
BEGIN = parse_time(f"{NIGHT}")
MONTH_NS = 30 * 86_400 * SECOND_NS
CALIBS = ("bias", "dark", "defects", "linearizer", "crosstalk", "flat", "fringe")
FILTERED = ("flat", "fringe")
Times = tuple[float, float]


class JsonFormatter:
    """The smallest file there is: what remains is the registry."""

    extension = ".json"

    def write(self, value: object, path: Path) -> str:
        path.write_text(json.dumps(value))
        return self.content_sha256(path)

    def read(self, path: Path) -> object:
        return json.loads(path.read_text())

    def content_sha256(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        butler = Butler.create(Path(folder) / "repo", formatters={"json": JsonFormatter()}, actor="bench")
        data_ids = furnish(butler)
        types = dict.fromkeys(CALIBS, True)
        resolution, seconds = timed(lambda: butler.resolve(data_ids, types, ["calib"]))
        count = sum(len(found) for found in resolution.matches.values())
        print(f"  {f'resolve {count}, {EPOCHS} epochs':28s} {spell(seconds)}  (budget 1.5 s)")
        specs = [
            QuantumSpec(
                "isr", i, (("raw", dataset_uuid("raw/all", "raw", i)),), tuple(resolution.matches[i].items()), "key"
            )
            for i in data_ids
        ]
        rows, seconds = timed(lambda: butler.plan("products", specs, config={"a": 1}, software={"numpy": "2"}))
        print(f"  {f'plan {len(rows)} quanta':28s} {spell(seconds)}  (budget 3 s)")
        per_quantum(butler, [row.id for row in rows[:: len(rows) // QUANTA]][:QUANTA])
        butler.close()
        contention(butler.root, data_ids)


def per_quantum(butler: Butler, ids: list[int]) -> None:
    """Take quanta one by one through lease, inputs and durable publication of two products."""
    spent: defaultdict[str, Times] = defaultdict(lambda: (0.0, 0.0))

    def do(name: str, work: Callable[..., object], *args: object, **options: object) -> object:
        result, (wall, cpu) = timed(lambda: work(*args, **options))
        spent[name] = (spent[name][0] + wall / len(ids), spent[name][1] + cpu / len(ids))
        return result

    for one in ids:
        do("lease", butler.lease, [one], "bench")
        data_id = do("inputs", butler.inputs, one).quantum.data_id
        outputs = {"post_isr": {"quantum": one}, "statistics": {"quantum": one}}
        do("publish", butler.publish, one, outputs, run="products", data_id=data_id, worker="bench")
    for name, seconds in spent.items():
        print(f"  {f'{name} one quantum':28s} {spell(seconds)}")
    whole, cpu = (sum(times) for times in zip(*spent.values(), strict=True))
    print(f"  {'one quantum in all':28s} {spell((whole, cpu))}  {whole:.1%} of a second (budget 5 %)")


def contention(root: Path, data_ids: list[DataId]) -> None:
    """Let several processes store datasets as fast as they can, and tell how long the unlucky ones wait."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(WRITERS) as pool:
        shares = [(root, data_ids[i * PUTS : (i + 1) * PUTS]) for i in range(WRITERS)]
        waits = sorted(wait for share in pool.starmap(put_all, shares) for wait in share)
    middle, late = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(f"  {f'put, {WRITERS} processes':28s} median {middle:.4f} s, of 100 the slowest {late:.4f} s (budget 0.1 s)")


def put_all(root: Path, data_ids: list[DataId]) -> list[float]:
    """Store one small dataset for each data id; return how long each took."""
    with Butler(root, formatters={"json": JsonFormatter()}, actor="bench") as butler:
        butler.put(0, "crowd", data_ids[0], "crowd")
        return [timed(lambda one=one: butler.put(1, "crowd", one, "crowd"))[1][0] for one in data_ids[1:]]


def furnish(butler: Butler) -> list[DataId]:
    """Register an instrument, a night of raws and a year of calibrations; no files, only rows."""
    butler.register_instrument(
        InstrumentRecord("big"),
        [DetectorRecord("big", i, f"D{i}") for i in range(DETECTORS)],
        [FilterRecord("big", "r", "r")],
    )
    exposed = ("instrument", "exposure", "detector")
    butler.register_dataset_type(
        *(DatasetType(name, exposed, "json") for name in ("raw", "post_isr", "statistics", "crowd")),
        *(DatasetType(name, dimensions(name), "json", is_calibration=True) for name in CALIBS),
    )
    for name, kind in (("calib", "CALIBRATION"), ("raw/all", "RUN"), ("products", "RUN"), ("crowd", "RUN")):
        butler.register_collection(name, kind)
    butler.insert_exposures([exposure(i) for i in range(EXPOSURES)])
    data_ids = [DataId("big", NIGHT * 1000 + i, d) for i in range(EXPOSURES) for d in range(DETECTORS)]
    insert(butler, [DatasetRef(dataset_uuid("raw/all", "raw", i), "raw", "raw/all", i) for i in data_ids])
    for epoch in range(EPOCHS):
        run = f"calibs/{epoch}"
        butler.register_collection(run, "RUN")
        refs = [
            DatasetRef(dataset_uuid(run, name, data_id), name, run, data_id)
            for name in CALIBS
            for data_id in (DataId("big", None, d, "r" if name in FILTERED else None) for d in range(DETECTORS))
        ]
        insert(butler, refs)
        begin = BEGIN - (EPOCHS - 1 - epoch) * MONTH_NS
        butler.certify("calib", refs, Timespan(begin, begin + MONTH_NS))
    return data_ids


def insert(butler: Butler, refs: list[DatasetRef]) -> None:
    """Add rows of datasets that have no files."""
    engine = open_database(butler.root / "registry.sqlite3")
    with write(engine) as connection:
        insert_datasets(connection, refs)
    engine.dispose()


def dimensions(name: str) -> tuple[str, ...]:
    return ("instrument", "detector", "physical_filter") if name in FILTERED else ("instrument", "detector")


def exposure(i: int) -> ExposureRecord:
    begin = BEGIN + i * 60 * SECOND_NS
    span = (begin, begin + 30 * SECOND_NS, 30.0)
    return ExposureRecord("big", NIGHT * 1000 + i, f"obs-{i}", NIGHT, i, "r", "science", "field", *span)


def timed(work: Callable[[], Any]) -> tuple[Any, Times]:
    """Return what the work gives, and its wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - cpu)


def spell(times: Times) -> str:
    wall, cpu = times
    return f"{wall:8.4f} s, {cpu:8.4f} s of processor" if wall < 1 else f"{wall:8.2f} s, {cpu:8.2f} s of processor"


if __name__ == "__main__":
    main()
