"""What the registry says about a night: exposures, quanta, calibrations, products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from flows.night import resolve_day
from flows.repo import Repo
from isrflow.quantum.types import PRE_CROSSTALK, PRODUCT
from registry.dimensions import ExposureRecord
from registry.errors import UserError
from registry.refs import DatasetRef, QuantumRow
from registry.times import format_time


@dataclass(frozen=True, slots=True)
class CalibUse:
    """A calibration, when it is certified for, and how often the night used it."""

    ref: DatasetRef
    valid: str
    n_used: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The night in one word, one colour and one sentence."""

    css: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NightFacts:
    """A night, as the registry has it."""

    day: int
    run: str
    exposures: Sequence[ExposureRecord]
    """Those of the run, in time order."""
    calibration_exposures: Mapping[str, int]
    """Other exposures of the day, by kind."""
    quanta: Mapping[tuple[int, int], QuantumRow]
    """By exposure and detector."""
    products: Mapping[tuple[int, int], DatasetRef]
    calibs: Sequence[CalibUse]
    config: Mapping[str, Any]
    config_sha256: str
    software: Mapping[str, Any]
    warnings: Sequence[str]

    def count(self, *states: str) -> int:
        """Return how many quanta are in these states."""
        return sum(row.state in states for row in self.quanta.values())

    @property
    def troubles(self) -> list[QuantumRow]:
        """Quanta without a product, failed ones first."""
        rows = [row for row in self.quanta.values() if row.state != "done"]
        return sorted(rows, key=lambda row: (row.state == "skipped", row.data_id))

    @property
    def verdict(self) -> Verdict:
        """Judge the night."""
        total, done, skipped = len(self.quanta), self.count("done"), self.count("skipped")
        if done == total:
            return Verdict("good", "Complete", _all_of(total))
        lost = [f"{total - done - skipped} failed"] if total > done + skipped else []
        lost += [f"{skipped} were skipped"] if skipped else []
        sentence = f"{done} of {total} raws were corrected; {' and '.join(lost)}."
        return Verdict("partial", "Partial", sentence) if done else Verdict("bad", "Nothing", sentence)

    @property
    def median_seconds(self) -> float | None:
        """Median time a quantum took."""
        seconds = [row.seconds for row in self.quanta.values() if row.seconds is not None]
        return median(seconds) if seconds else None

    @property
    def peak_rss_bytes(self) -> int | None:
        """The largest memory a worker had."""
        return max((row.peak_rss_bytes for row in self.quanta.values() if row.peak_rss_bytes), default=None)


def _all_of(total: int) -> str:
    return f"All {total} raws were corrected." if total > 1 else "The only raw was corrected."


def gather_facts(repo: Repo, day: str | int, run: str | None = None) -> NightFacts:
    """Ask the registry about a night.

    Parameters
    ----------
    day
        YYYYMMDD, or ``last``.
    run
        The collection of the products; ``night/YYYYMMDD`` by default.

    Raises
    ------
    UserError
        If nothing of that day was processed in the run; names the command that does.
    """
    number = resolve_day(repo, day)
    name = run or f"night/{number}"
    records = {record.id: record for record in repo.butler.exposures(f"day_obs = {number}")}
    everything = repo.butler.quanta(name, day_obs=number) if repo.butler.collections(name) else []
    rows = [row for row in everything if row.task != PRE_CROSSTALK]  # a detector is counted once
    quanta = {(row.data_id.exposure or 0, row.data_id.detector or 0): row for row in rows}
    if not quanta and run is not None:
        raise UserError(f"run {name} has nothing of night {number}", fix="isrflow query collections")
    if not quanta:
        raise UserError(f"run {name} has nothing of night {number}", fix=f"isrflow night {number}")
    products = repo.butler.datasets(
        f"day_obs = {number} and status in ('LIVE', 'MISSING')", type=PRODUCT, collections=[name]
    )
    there = [ref for ref in products if repo.butler.exists(ref)]
    exposures = [record for key, record in records.items() if any(exposure == key for exposure, _ in quanta)]
    done = [row for row in quanta.values() if row.state == "done"]
    inputs = [repo.butler.inputs(row.id) for row in done or list(quanta.values())[:1]]
    return NightFacts(
        day=number,
        run=name,
        exposures=sorted(exposures, key=lambda record: record.begin_ns),
        calibration_exposures=Counter(
            record.obs_type for record in records.values() if record.obs_type in {"bias", "dark", "flat"}
        ),
        quanta=quanta,
        products={(ref.data_id.exposure or 0, ref.data_id.detector or 0): ref for ref in there},
        calibs=_calibs(repo, (item.calibs.values() for item in inputs)),
        config=inputs[0].config,
        config_sha256=inputs[0].config_sha256,
        software=inputs[0].software,
        warnings=[
            *_of_lost(len(products) - len(there), len(products)),
            *sorted({match.warning for item in inputs for match in item.matches.values() if match.warning}),
        ],
    )


def _of_lost(n_lost: int, n_made: int) -> list[str]:
    """Say that products have lost their files; nothing if none has."""
    mend = "the command that made them makes them again"
    return [f"the files of {n_lost} of {n_made} products are gone or damaged; {mend}"] if n_lost else []


def _calibs(repo: Repo, used: Iterable[Iterable[DatasetRef]]) -> list[CalibUse]:
    """Return every calibration once, with its certified ranges and the number of quanta it went into."""
    refs: dict[UUID, DatasetRef] = {}
    counts: Counter[UUID] = Counter()
    for group in used:
        for ref in group:
            refs[ref.id] = ref
            counts[ref.id] += 1
    spans: dict[UUID, list[str]] = {}
    for row in repo.butler.validity():
        spans.setdefault(row.dataset, []).append(_span_text(row.span.begin_ns, row.span.end_ns))
    uses = [CalibUse(ref, "; ".join(spans.get(id_, ["not certified now"])), counts[id_]) for id_, ref in refs.items()]
    return sorted(uses, key=lambda use: (use.ref.type, use.ref.data_id))


def _span_text(begin_ns: int, end_ns: int) -> str:
    """Return a range of time to the minute."""
    begin, end = (_minute(format_time(ns)) for ns in (begin_ns, end_ns))
    return f"{begin} to {end}"


def _minute(text: str) -> str:
    return text[:16].replace("T", " ") if text[:4].isdecimal() else text
