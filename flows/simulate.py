"""A simulated night for the command line: any camera, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.outcome import OnProgress, Progress
from isrflow.errors import ConfigError
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night
from registry.times import parse_day


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """Where a simulated night is, and what to do with it."""

    directory: Path
    instrument: str
    night: int
    n_raws: int
    tables: dict[str, list[Path]]
    """Calibration kind to the files that `isrflow calibs import` takes."""
    next_steps: Sequence[str]

    def render(self) -> str:
        """Return the report as text."""
        lines = [f"{self.n_raws} raws of {self.instrument}, night {self.night}, in {self.directory}", "next:"]
        return "\n".join([*lines, *(f"  {step}" for step in self.next_steps)])


def simulate_into(
    directory: Path,
    night: str | int,
    *,
    instrument: str | Path,
    n_science: int = 4,
    n_bias: int = 5,
    n_dark: int = 3,
    n_flat: int = 5,
    filters: Sequence[str] = (),
    seed: int = 1,
    on_progress: OnProgress | None = None,
) -> SimulationReport:
    """Simulate an afternoon and a night into a directory.

    Raises
    ------
    ConfigError
        If the instrument or a filter is unknown, or the directory holds raws of that night already.
    InvalidTime
        If the night is no day.
    """
    camera, day = load_camera(instrument), parse_day(night)
    known = [item.name for item in camera.filters]
    unknown = [name for name in filters if name not in known]
    if unknown:
        raise ConfigError(f"camera {camera.name} has no filter {', '.join(unknown)} (it has {', '.join(known)})")
    raws = directory / "raw" / str(day)
    if raws.exists() and any(raws.iterdir()):
        raise ConfigError(f"{raws} holds files already", fix="choose another directory or night")

    def progress(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(Progress(done, total))

    made = simulate_night(
        camera,
        directory,
        day,
        n_science=n_science,
        n_bias=n_bias,
        n_dark=n_dark,
        n_flat=n_flat,
        filters=list(filters) or None,
        seed=seed,
        progress=progress,
    )
    steps = [f"isrflow init repo --instrument {instrument}", f"isrflow ingest --repo repo {raws}"]
    steps += [
        f"isrflow calibs import --repo repo {kind} {files[0].parent}/{kind}_*" for kind, files in made.tables.items()
    ]
    return SimulationReport(directory, camera.name, day, len(made.raws), made.tables, steps)
