"""What registry and engine add to a quantum on the direct engine, beyond reading, correcting and writing.

A night of the tiny camera is run in this process by the direct engine (planning, leases, restricted inputs,
publication, report) and, for comparison, by a bare loop that reads the same files, corrects and writes the same
products. Budget: the difference is under 5 % of a quantum that takes one second.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from flows.calibrate import build_calibs
from flows.certify import certify_calibs
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import Repo, create_repo
from flows.simulate import simulate_into
from isrflow.calibs.files import read_calibration
from isrflow.frame.fits import write_exposure
from isrflow.frame.raw import read_raw
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr

NIGHT = 20260301
SCIENCE = 40
KINDS = ("bias", "dark", "flat", "defects")


def main() -> None:
    """Run both and print the difference a quantum."""
    warm_kernels()
    with tempfile.TemporaryDirectory() as home, prepared(Path(home)) as repo:
        bare_loop(repo, Path(home))  # warms files and caches for both
        started = time.perf_counter()
        report = run_night(repo, NIGHT, engine="direct")
        engine = time.perf_counter() - started
        bare = bare_loop(repo, Path(home))
    quanta = report.n_done
    extra = (engine - bare) / quanta
    each = [f"{seconds / quanta * 1e3:6.1f} ms a quantum" for seconds in (engine, bare)]
    print(f"  direct engine {each[0]}, bare loop {each[1]} ({quanta} quanta)")
    print(f"  registry and engine {extra * 1e3:6.1f} ms a quantum: {extra * 100:.1f} % of one second (budget 5 %)")


def prepared(home: Path) -> Repo:
    """Make a repository with raws and certified calibrations; quanta run in this process."""
    simulate_into(home, NIGHT, instrument="tiny", n_science=SCIENCE)
    repo = create_repo(home / "repo", "tiny")
    repo.settings = repo.settings.model_copy(update={"executor": "inline"})
    ingest_paths(repo, [home / "raw"])
    built = build_calibs(repo, KINDS, NIGHT, "calibs/a", engine="direct")
    certify_calibs(repo, [built.run], str(NIGHT))
    return repo


def bare_loop(repo: Repo, home: Path) -> float:
    """Read, correct and write what the night's quanta did, without registry or engine."""
    butler, camera = repo.butler, repo.camera
    config = IsrConfig.layered(camera.recipe)
    raws = butler.datasets(f"day_obs = {NIGHT} and obs_type = 'science'", type="raw")
    calibs = {(ref.type, ref.data_id.detector, ref.data_id.physical_filter): ref for ref in butler.datasets(type=KINDS)}
    filters = {record.id: record.physical_filter for record in butler.exposures(f"day_obs = {NIGHT}")}
    started = time.perf_counter()
    cache = {}
    for ref in raws:
        detector, band = ref.data_id.detector, filters[ref.data_id.exposure]
        used = {}
        for kind in KINDS:
            calib = calibs[kind, detector, band if kind == "flat" else None]
            if calib.id not in cache:
                cache[calib.id] = read_calibration(kind, butler.path(calib))
            used[kind] = cache[calib.id]
        raw = read_raw(butler.path(ref), camera, camera.detector(detector))
        result = run_isr(raw, used, config, camera=camera, overwrite=True)
        write_exposure(result.exposure, home / f"{ref.short}.fits")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
