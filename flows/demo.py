"""A night from nothing to a report: what ``isrflow demo`` and ``make demo`` do, and how the parts fit together."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from flows import server
from flows.calibrate import build_calibs
from flows.certify import certify_calibs
from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.outcome import RunReport
from flows.repo import Repo, create_repo
from flows.report.write import write_report
from flows.simulate import SimulationReport, simulate_into
from isrflow.kernels.warm import warm_kernels
from registry.errors import UserError

NIGHT = 20260301
SCIENCE = 12
WORKERS = 2
"""However many cores there are: the demo promises to stay below 2 GB."""
TYPES = ("bias", "dark", "flat", "defects")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo made, where it is, and what to try next."""

    directory: Path
    repo: Path
    night: RunReport
    report: Path
    an_exposure: int
    a_product: str
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""

    @property
    def exit_code(self) -> int:
        """That of the night."""
        return self.night.exit_code

    @property
    def next_steps(self) -> list[str]:
        """Five commands worth typing."""
        there, isrflow = f"--repo {self.repo}", _program()
        return [
            f"{isrflow} status {there}",
            f"{isrflow} query datasets \"type = 'post_isr' and physical_filter = 'r_01'\" {there}",
            f"{isrflow} explain {self.an_exposure} 0 flat {there}",
            f"{isrflow} lineage {self.a_product} {there}",
            f"{isrflow} show {self.a_product} -o {self.directory / 'picture.png'} {there}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"night": self.night.to_dict(), "next_steps": self.next_steps}

    def render(self) -> str:
        """Return the report as text."""
        lines = [
            f"{self.night.headline} (engine {self.night.engine}); the whole demo in {sum(self.stages.values()):.0f} s"
        ]
        lines += [f"raws:       {self.directory / 'raw'}", f"repository: {self.repo}", f"report:     {self.report}"]
        return "\n".join([*lines, "", "try next:", *(f"  {step}" for step in self.next_steps)])


def run_demo(directory: Path, *, small: bool = False, engine: Literal["prefect", "direct"] = "prefect") -> DemoReport:
    """Simulate an afternoon and a night, calibrate, process, report.

    Parameters
    ----------
    directory
        Gets raws, truth, repository and report; must not hold a demo already.
    small
        Take the tiny instrument: seconds instead of minutes.
    engine
        ``prefect`` starts a server of its own, and stops it whatever happens.

    Raises
    ------
    UserError
        If there is a demo in `directory` already.
    """
    if (directory / "repo").exists() or (directory / "raw").exists():
        raise UserError(f"there is a demo in {directory} already", fix=f"rm -r {directory}, or isrflow demo OTHER_DIR")
    stages: dict[str, float] = {}
    directory.mkdir(parents=True, exist_ok=True)
    with _stage("simulate", stages, "an afternoon of calibrations and a night") as tell:
        made = simulate_into(directory, NIGHT, instrument="tiny" if small else "lupine", n_science=SCIENCE)
        tell(f"{made.n_raws} raws of {made.instrument}")
    with _stage("compile", stages, "the kernels, once on this machine") as tell:
        tell(f"{len(warm_kernels())} kernels")
    with create_repo(directory / "repo", made.instrument) as repo:
        _fill(repo, made, stages)
        with _server(repo, stages, wanted=engine == "prefect"), _stage("night", stages, f"through {engine}") as tell:
            night = run_night(repo, NIGHT, engine=engine, workers=WORKERS)
            tell(f"{night.n_done} of {night.n_total} done")
        with _stage("report", stages, "one HTML file"):
            page = write_report(repo, NIGHT)
        exposure = repo.butler.exposures("obs_type = 'science'", limit=1)[0].id
        products = repo.butler.datasets(type="post_isr", limit=1)
        product = products[0].short if products else "ID"
        return DemoReport(directory, directory / "repo", night, page, exposure, product, stages)


def _fill(repo: Repo, made: SimulationReport, stages: dict[str, float]) -> None:
    """Bring in raws and tables, make the calibrations, certify all of them."""
    with _stage("ingest", stages, "the raws") as tell:
        taken = ingest_paths(repo, [made.directory / "raw"], transfer="link")
        tell(f"{taken.n_ingested} files, {taken.n_exposures} exposures")
    with _stage("import", stages, ", ".join(made.tables)) as tell:
        runs = [import_calib(repo, kind, files).run for kind, files in made.tables.items()]
        certify_calibs(repo, runs, str(NIGHT), reason="demo: the simulator's truth")
        tell("certified")
    with _stage("calibrate", stages, ", ".join(TYPES)) as tell:
        built = build_calibs(repo, TYPES, NIGHT, f"calibs/{NIGHT}", engine="direct", workers=WORKERS)
        certify_calibs(repo, [built.run], str(NIGHT), reason="demo")
        tell(f"{built.n_done} made and certified")


def _program() -> str:
    """Return what to type for isrflow: its path, if it was started by path and is on no other."""
    started = Path(os.path.relpath(sys.argv[0]))
    return str(started) if started.name == "isrflow" and shutil.which("isrflow") is None else "isrflow"


@contextmanager
def _server(repo: Repo, stages: dict[str, float], *, wanted: bool) -> Iterator[None]:
    """Lend a Prefect server, stopped whatever happens: failure, Ctrl-C, or being told to end."""
    if not wanted:
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: _end_at_once(repo))
    try:
        with _stage("server", stages, "Prefect, for this repository") as tell:
            tell(server.up(repo.root).url)
        yield
    finally:
        with _stage("stop", stages, "the server"):
            server.down(repo.root)
        signal.signal(signal.SIGTERM, before)


def _end_at_once(repo: Repo) -> NoReturn:
    """Stop the server and leave; an exception instead would be lost if the signal came inside a destructor."""
    server.down(repo.root)
    sys.stderr.write("ended; the server is stopped\n")
    sys.stderr.flush()
    os._exit(128 + signal.SIGTERM)


@contextmanager
def _stage(name: str, stages: dict[str, float], what: str) -> Iterator[Any]:
    """Announce a stage in one line, and end the line with what came of it and the time it took."""
    said: list[str] = []
    started = time.perf_counter()
    sys.stderr.write(f"{name:<10} {what} ... ")
    sys.stderr.flush()
    try:
        yield said.append
    except Exception:
        sys.stderr.write("failed\n")
        raise
    except BaseException:
        sys.stderr.write("interrupted\n")
        raise
    stages[name] = time.perf_counter() - started
    sys.stderr.write(f"{said[-1] + ', ' if said else ''}{stages[name]:.1f} s\n")
