"""What a repository holds, how its nights stand, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows import server
from flows.repo import CALIBS, Repo


@dataclass(frozen=True, slots=True)
class NightStatus:
    """One observing day: its exposures by kind, its quanta by state and run, its flagged places by flag."""

    night: int
    exposures: Mapping[str, int]
    quanta: Mapping[str, int]
    flagged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RepoStatus:
    """A repository at a glance."""

    repo: Path
    instrument: str
    server: str | None
    """Address of the Prefect server that `isrflow up` started, if it runs."""
    counts: Mapping[str, Any]
    nights: Sequence[NightStatus]
    n_certified: int
    next_steps: Sequence[str]

    @property
    def headline(self) -> str:
        """Say in one line what this is."""
        prefect = f"Prefect server at {self.server}" if self.server else "no Prefect server (engine direct)"
        return f"{self.repo}: {self.instrument}, {self.n_certified} calibrations certified, {prefect}"

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a night."""
        is_any_flagged = any(item.flagged for item in self.nights)
        return [
            {"night": item.night, "exposures": _words(item.exposures), "quanta": _words(item.quanta)}
            | ({"flags": _words(item.flagged)} if is_any_flagged else {})
            for item in self.nights
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def repo_status(repo: Repo) -> RepoStatus:
    """Look at a repository; nothing is changed."""
    exposures: dict[int, Counter[str]] = {}
    for record in repo.butler.exposures():
        exposures.setdefault(record.day_obs, Counter())[record.obs_type] += 1
    days = {record.id: record.day_obs for record in repo.butler.exposures()}
    quanta: dict[int, Counter[str]] = {}
    for row in repo.butler.quanta():
        day = days.get(row.data_id.exposure or -1)
        if day is not None:
            quanta.setdefault(day, Counter())[f"{row.state} in {row.run}"] += 1
    flags: dict[int, Counter[str]] = {}
    for flag in repo.butler.flags():
        flags.setdefault(days[flag.data_id.exposure or -1], Counter())[flag.flag] += 1
    nights = [
        NightStatus(day, exposures[day], quanta.get(day, Counter()), flags.get(day, Counter()))
        for day in sorted(exposures)
    ]
    certified = [row for row in repo.butler.validity(CALIBS) if row.type != "camera"]
    running = server.running(repo.root)
    return RepoStatus(
        repo=repo.root,
        instrument=repo.instrument,
        server=running.url if running else None,
        counts=repo.butler.stats(),
        nights=nights,
        n_certified=len(certified),
        next_steps=_next_steps(nights, len(certified)),
    )


def _next_steps(nights: Sequence[NightStatus], n_certified: int) -> list[str]:
    if not nights:
        return ["isrflow ingest RAW_FILES"]
    calibration = [item for item in nights if any(kind in item.exposures for kind in ("bias", "dark", "flat"))]
    if not n_certified and calibration:
        day = calibration[-1].night
        types = "bias dark flat defects"
        return [
            f"isrflow calibs build {types} --night {day} --out calibs/{day}",
            f"isrflow calibs certify calibs/{day} --begin {day}",
        ]
    science = [item for item in nights if item.exposures.get("science")]
    waiting = [item for item in science if not item.quanta.get(f"done in night/{item.night}")]
    if waiting:
        return [f"isrflow night {waiting[-1].night}"]
    return [f"isrflow report {item.night}" for item in science[-1:]] or ["isrflow ingest RAW_FILES"]


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"
