"""The work that both registries are given: a night of raws, a year of calibrations, and small files for all of them."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NIGHT = 20260301
BEGIN_NS = 1_772_323_237_000_000_000
"""2026-03-01T00:00:00 UTC in TAI nanoseconds, the begin of the night."""
SECOND_NS = 1_000_000_000
MONTH_NS = 30 * 86_400 * SECOND_NS
INSTRUMENT = "big"
CALIBS = ("bias", "dark", "defects", "linearizer", "crosstalk", "flat", "fringe")
FILTERED = ("flat", "fringe")
VALUE = {"mean": 1.5, "values": list(range(100))}
"""What is put: some 400 bytes, so that what is measured is the registry."""


@dataclass(frozen=True)
class Workload:
    """How much of everything."""

    detectors: int = 40
    exposures: int = 50
    epochs: int = 12
    many_epochs: int = 360
    finds: int = 200
    puts: int = 60
    writers: int = 4
    puts_per_writer: int = 50

    @property
    def quanta(self) -> int:
        return self.detectors * self.exposures

    @property
    def resolutions(self) -> int:
        return self.quanta * len(CALIBS)

    def exposure_ids(self) -> range:
        return range(NIGHT * 1000, NIGHT * 1000 + self.exposures)

    def exposed_ns(self, number: int) -> tuple[int, int]:
        begin = BEGIN_NS + number % 1000 * 60 * SECOND_NS
        return begin, begin + 30 * SECOND_NS

    def valid_ns(self, epoch: int) -> tuple[int, int]:
        """Return the month of an epoch; the last of `epochs` holds the night, higher ones lie before the first."""
        back = self.epochs - 1 - epoch if epoch < self.epochs else epoch
        return BEGIN_NS - back * MONTH_NS, BEGIN_NS - (back - 1) * MONTH_NS

    def spread(self, count: int) -> list[tuple[int, int]]:
        """Return so many pairs of exposure and detector, spread over the night."""
        pairs = [(e, d) for e in self.exposure_ids() for d in range(self.detectors)]
        step = max(1, len(pairs) // count)
        return pairs[::step][:count]


FULL = Workload(detectors=189, exposures=100)


@dataclass
class Measure:
    """What one operation took: so many things in so many seconds, or seconds of each single one."""

    count: int
    seconds: float
    each: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def rate(self) -> float:
        return self.count / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.each)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def median(self) -> float:
        return statistics.median(self.each)


@dataclass
class Results:
    """What one registry on one engine took, by the name of the operation."""

    measures: dict[str, Measure] = field(default_factory=dict)

    def once(self, name: str, count: int, work: Callable[[], Any], *, runs: int = 1) -> Any:
        """Do something (several times: the median counts) and keep the time; return what it gives."""
        times, result = [], None
        for _ in range(runs):
            started = time.perf_counter()
            result = work()
            times.append(time.perf_counter() - started)
        self.measures[name] = Measure(count, statistics.median(times))
        return result

    def one_by_one(self, name: str, things: list[Any], work: Callable[[Any], Any]) -> list[Any]:
        """Do something with each thing, and keep how long each took."""
        given, times = [], []
        for thing in things:
            started = time.perf_counter()
            given.append(work(thing))
            times.append(time.perf_counter() - started)
        self.measures[name] = Measure(len(things), sum(times), times)
        return given

    def memory(self) -> None:
        """Keep the most memory that this process has had so far, in MB."""
        self.measures["peak memory"] = Measure(1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def to_dict(self) -> dict[str, Any]:
        return {name: asdict(measure) for name, measure in self.measures.items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Results:
        return cls({name: Measure(**measure) for name, measure in plain.items()})


def median_time(work: Callable[[], Any], runs: int = 3) -> float:
    """Return the median of the seconds that something takes."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def write_files(work: Workload, folder: Path) -> None:
    """Write a small file, each with a content of its own, for every raw and every calibration."""
    for kind, numbers in _names(work):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            path_of(folder, kind, *number).write_text(f'{{"{kind}": {list(number)}}}')


def path_of(folder: Path, kind: str, *number: int) -> Path:
    """Return where the file of a raw (exposure, detector) or a calibration (epoch, detector) is."""
    return folder / kind / ("-".join(map(str, number)) + ".json")


def _names(work: Workload) -> Iterator[tuple[str, Iterator[tuple[int, int]]]]:
    yield "raw", ((e, d) for e in work.exposure_ids() for d in range(work.detectors))
    for kind in CALIBS:
        yield kind, ((epoch, d) for epoch in range(work.epochs) for d in range(work.detectors))
