"""What came of a run, in plain values: for the terminal, for JSON and for Prefect alike.

The numbers come from the registry's own quanta; no engine's idea of success enters here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ALL_OK, USER_ERROR, PARTIAL, NOTHING_SUCCEEDED = 0, 1, 2, 3
BY_POLICY = "by policy: "
"""How the reason of a skipped quantum begins if a policy wants it skipped: then nothing went wrong."""
UNFINISHED = "unfinished"
"""The kind of trouble of a quantum that nobody failed at: another process has it, or nobody began it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; handed to the observer after every file or quantum."""

    done: int
    """Pieces finished, well or badly."""
    total: int
    failed: int = 0
    what: str = ""
    """The piece that finished last, in words."""


_NUMBERED = re.compile(r"\b(exposure|detector|amplifier) [\w.-]+")

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One quantum that gave no product, and why."""

    what: str
    """Task and data id, in words."""
    kind: str
    """One word: the class of the error, "crash", "timeout", "unfinished" or "skipped"."""
    message: str
    quantum: str = ""
    """Short id of the quantum, if it was planned."""
    retriable: bool = True


@dataclass(frozen=True, slots=True)
class RunReport:
    """What came of a night, a reprocessing or a calibration build."""

    run: str
    """Name of the collection that holds the products."""
    engine: str = "direct"
    engine_reason: str = ""
    """Why this engine, in one line."""
    n_done: int = 0
    """Quanta with products, those of earlier attempts included."""
    n_already_done: int = 0
    """Those that earlier attempts had finished."""
    n_failed: int = 0
    n_skipped: int = 0
    failures: Sequence[Trouble] = ()
    skipped: Sequence[Trouble] = ()
    remade: Sequence[str] = ()
    """Quanta that were done, but had lost a product and were made again, each with the reason."""
    missing: str = ""
    """The report of missing calibrations, ready to print; empty if none is missing."""
    by_policy: str = ""
    """What policies did where calibrations were missing: fallbacks, quanta left undone, quanta done without."""
    n_fallbacks: int = 0
    """Number of calibrations used that are not valid, but the nearest there is."""
    noted: str = ""
    """Which raws are flagged, and which calibrations were made of such, ready to print; empty if none."""
    recovered: str = ""
    """What was cleared away of an earlier crash, ready to print; empty if nothing was."""
    seconds: float = 0.0
    places: Mapping[str, str] = field(default_factory=dict)
    """Where things are: name to path or collection."""
    next_steps: Sequence[str] = ()
    """Commands worth typing next."""

    @property
    def n_total(self) -> int:
        """Number of quanta of the run."""
        return self.n_done + self.n_failed + self.n_skipped

    @property
    def n_unfinished(self) -> int:
        """Number of those counted as failed that somebody else may still finish."""
        return sum(item.kind == UNFINISHED for item in self.failures)

    @property
    def exit_code(self) -> int:
        """0 all ok, 2 some quanta gave no product, 3 none did."""
        if self.n_failed + sum(not item.message.startswith(BY_POLICY) for item in self.skipped) == 0:
            return ALL_OK
        return PARTIAL if self.n_done else NOTHING_SUCCEEDED

    @property
    def headline(self) -> str:
        """Say in one line what came of it."""
        words = [f"{self.n_done} of {self.n_total} done"]
        words += [f"{self.n_already_done} of them before"] if self.n_already_done else []
        words += [f"{len(self.remade)} of them made again"] if self.remade else []
        n_failed = self.n_failed - self.n_unfinished
        words += [f"{n_failed} failed"] if n_failed else []
        words += [f"{self.n_unfinished} unfinished"] if self.n_unfinished else []
        words += [f"{self.n_skipped} skipped"] if self.n_skipped else []
        words += [f"{self.n_fallbacks} calibrations are fallbacks"] if self.n_fallbacks else []
        return f"{self.run}: {', '.join(words)} in {self.seconds:.1f} s"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the exit code included."""
        return asdict(self) | {"n_total": self.n_total, "exit_code": self.exit_code}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunReport:
        """Make the report that `to_dict` wrote."""
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        troubles = {key: tuple(Trouble(**item) for item in known.get(key, ())) for key in ("failures", "skipped")}
        return cls(**(known | troubles))

    def render(self) -> str:
        """Return the report as text: headline, what is missing, what failed and why, what to type next."""
        parts = [self.headline]
        parts += [self.recovered] if self.recovered else []
        parts += [self.noted] if self.noted else []
        parts += [self.by_policy] if self.by_policy else []
        parts += [self.missing] if self.missing else []
        parts += self.remade
        failed = [item for item in self.failures if item.kind != UNFINISHED]
        unfinished = [item for item in self.failures if item.kind == UNFINISHED]
        parts += ["failed:", *_lines(failed)] if failed else []
        parts += ["unfinished:", *_lines(unfinished)] if unfinished else []
        parts += ["skipped:", *_lines(self.skipped)] if self.skipped and not (self.missing or self.noted) else []
        parts += [f"{name}: {place}" for name, place in self.places.items()]
        parts += ["next:", *(f"  {step}" for step in self.next_steps)] if self.next_steps else []
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not taken, and why."""

    path: Path
    kind: str
    """Class of the error."""
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What came of an ingestion."""

    run: str
    n_ingested: int = 0
    n_already_there: int = 0
    n_exposures: int = 0
    """Exposures the files belong to."""
    nights: Sequence[int] = ()
    """Observing days of the files, YYYYMMDD."""
    refused: Sequence[Refusal] = ()
    seconds: float = 0.0
    next_steps: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0 all ok, 2 some files were refused, 3 all were."""
        if not self.refused:
            return ALL_OK
        return PARTIAL if self.n_ingested + self.n_already_there else NOTHING_SUCCEEDED

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the exit code included."""
        refused = [asdict(item) | {"path": str(item.path)} for item in self.refused]
        return asdict(self) | {"refused": refused, "exit_code": self.exit_code}

    def render(self) -> str:
        """Return the report as text."""
        nights = ", ".join(str(night) for night in self.nights)
        counts = f"{self.n_ingested} files ingested into {self.run}, {self.n_already_there} were there already"
        parts = [f"{counts} ({self.n_exposures} exposures, nights {nights or 'none'}) in {self.seconds:.1f} s"]
        parts += ["refused:", *(f"  {item.reason}" for item in self.refused)] if self.refused else []
        parts += ["next:", *(f"  {step}" for step in self.next_steps)] if self.next_steps else []
        return "\n".join(parts)


SHOWN = 3
"""Of how many quanta with the same trouble the text tells; the registry has them all."""


def _lines(troubles: Sequence[Trouble]) -> list[str]:
    """Tell the first of those with the same trouble in full, so that a hundred alike do not hide another one."""
    alike: dict[str, list[Trouble]] = {}
    for item in troubles:
        alike.setdefault(f"{item.kind}: {_NUMBERED.sub('', item.message)}", []).append(item)
    lines = []
    for group in alike.values():
        shown = group if len(group) == SHOWN + 1 else group[:SHOWN]
        lines += [f"  {item.what}: {item.kind}: {item.message}" for item in shown]
        lines += [f"  and {len(group) - SHOWN} more for the same reason"] if len(group) > len(shown) else []
    return lines
