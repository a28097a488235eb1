"""What files cost: reading raws, writing and reading products, hashing, and a whole quantum with all of it.

A 4096 x 4096 detector of 16 amplifiers. Processor time on one thread, because worker processes have one core each, in
plane copies and milliseconds; wall times include what the disk takes (fsync) and depend on it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
from astropy.io import fits
from big_detector import RECIPE, calibrations, camera, description, raw
from yardstick import plane_copy_times

from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.repo import Repo, create_repo, open_repo
from flows.reprocess import run_reprocess
from flows.settings import RepoSettings, write_settings
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.kinds import KINDS
from isrflow.frame.content import content_sha256
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import read_exposure, write_exposure
from isrflow.frame.raw import read_raw
from isrflow.kernels.warm import warm_kernels
from isrflow.quantum.config import recipe_for
from isrflow.run import run_isr
from isrflow.simulate.shots import night_shots
from isrflow.simulate.write import write_raw
from registry.timespan import ALL_TIME

RUNS = 3
NIGHT = 20260301
SCIENCE = 6
CALIBS = ("bias", "dark", "flat", "defects", "ptc", "linearizer", "crosstalk")
RAWS = {
    "uncompressed": None,
    "RICE, by rows of an amplifier": (1, 576),
    "RICE, by rows": (1, 4608),
    "RICE, 32 rows": (32, 4608),
}
VARIANTS = (
    (1, "none", 256),
    (1, "mask", 256),
    (1, "mask", 1000),
    (2, "mask", 1000),
    (1, "gzip", 1000),
    (1, "rice", 1000),
)
"""Workers, storage of products, and megabytes of calibrations that a worker keeps (masters of this size need 1000)."""
SECONDS = tuple[float, float]


def main() -> None:
    """Print all of it."""
    logging.disable(logging.WARNING)
    warm_kernels()
    numba.set_num_threads(1)  # as in a worker
    copy = plane_copy_times()
    print(f"  a plane copy takes {copy[0] * 1e3:.1f} ms of wall time, {copy[1] * 1e3:.1f} ms of processor")
    with tempfile.TemporaryDirectory() as home:
        raws(Path(home), copy[1])
        products(Path(home), copy[1])
        whole(Path(home), copy[1])


def raws(home: Path, copy: float) -> None:
    """Read raws as cameras write them."""
    print("  reading a raw (uint16, with its checksums)")
    for name, tile in RAWS.items():
        path = home / "raw.fits"
        store(sky(1)[0], path, tile)
        show(name, timed(lambda path=path: read_raw(path, camera(), 0)), copy, path)
        if tile is not None:
            show("    by astropy", timed(lambda path=path: fits.getdata(path, 1)), copy)
    calibration = home / "bias.fits"
    write_calibration(calibrations(camera())["bias"], calibration)
    show("a master (three planes)", timed(lambda: read_calibration("bias", calibration)), copy, calibration)


def products(home: Path, copy: float) -> None:
    """Write and read a product in each of the ways there are."""
    print("  a product (image, mask, variance)")
    product = run_isr(raw(camera()), calibrations(camera()), recipe_for(camera(), RECIPE)).exposure
    for compression in ("none", "mask", "gzip", "rice"):
        path = home / f"{compression}.fits"
        show(f"write, {compression}", timed(lambda: durably(product, path, compression)), copy, path)  # noqa: B023
        show("    read", timed(lambda: read_exposure(path)), copy)  # noqa: B023
        show("    hash of the file", timed(lambda: sha256(path)), copy)  # noqa: B023
        show("    hash of the content, from the file", timed(lambda: content_sha256(path)), copy)  # noqa: B023


def whole(home: Path, copy: float) -> None:
    """Run quanta of a repository, in this process and in two workers, for each way of storing products."""
    print(f"  a whole quantum: registry, raw, {len(CALIBS)} calibrations, correction, product, hashes")
    prepare(home)
    for workers, compression, cache_mb in VARIANTS:
        choice = {"product_compression": compression, "cache_mb": cache_mb}
        write_settings(home / "repo", RepoSettings(instrument="big").model_copy(update=choice))
        with open_repo(home / "repo") as repo:
            started = time.perf_counter()
            run = run_into(repo, workers, f"u/{workers}{compression}{cache_mb}")
            wall = (time.perf_counter() - started) / SCIENCE
            rows = repo.butler.quanta(run)
            for ref in repo.butler.datasets("", collections=[run]):
                Path(repo.butler.path(ref)).unlink()
        cpu = statistics.median(row.cpu_s or 0.0 for row in rows)
        kept = f"{workers} workers, {compression:4s}, {cache_mb:4d} MB of calibrations kept"
        taken = f"reading and correcting {cpu * 1e3:5.0f} ms of the processor ({cpu / copy:5.1f} plane copies)"
        print(f"    {kept}: {wall * 1e3:6.0f} ms a quantum; {taken}", flush=True)


def prepare(home: Path) -> None:
    """Make a repository with raws, compressed as large cameras do, and calibrations."""
    text = home / "big.yaml"
    text.write_text(description(), encoding="utf-8")
    paths = []
    for exposure in sky(SCIENCE):
        paths.append(home / f"{exposure.obs.exposure_id}.fits")
        store(exposure, paths[-1], (1, 576))
    with create_repo(home / "repo", text) as repo:
        ingest_paths(repo, paths)
        for kind, calibration in calibrations(camera()).items():
            path = home / f"{kind}.fits"
            write_calibration(calibration, path)
            band = "r" if "physical_filter" in KINDS[kind].dimensions else None
            refs = import_calib(repo, kind, [path], detector=0, physical_filter=band).refs
            repo.butler.certify("calibs", refs, ALL_TIME)


def run_into(repo: Repo, workers: int, run: str) -> str:
    """Process the night into a run and return its name."""
    report = run_reprocess(repo, f"day_obs = {NIGHT}", run, settings=RECIPE, engine="direct", workers=workers)
    if report.exit_code:
        raise SystemExit(report.render())
    return run


def sky(n: int) -> list[Exposure]:
    """Make exposures of a night; the pixels are the same in all."""
    model = camera()
    picture = raw(model)
    return [replace(picture, obs=shot.obs) for shot in night_shots(model, NIGHT, n_science=n)]


def store(exposure: Exposure, path: Path, tile: tuple[int, int] | None) -> None:
    """Write a raw, tile-compressed or not."""
    write_raw(exposure, camera(), path)
    if tile is not None:
        with fits.open(path) as hdus:
            image = next(hdu for hdu in hdus if hdu.data is not None)
            header = fits.Header([card for card in image.header.cards if card.keyword not in ("CHECKSUM", "DATASUM")])
            shape = tuple(min(pair) for pair in zip(tile, image.data.shape, strict=True))
            packed = fits.CompImageHDU(np.array(image.data), header, compression_type="RICE_1", tile_shape=shape)
            primary = fits.PrimaryHDU(header=hdus[0].header if image is not hdus[0] else header)
        fits.HDUList([primary, packed]).writeto(path, overwrite=True, checksum=True)


def durably(product: Exposure, path: Path, compression: str) -> None:
    """Write a product as publication does: with its content's hash, and flushed to the disk."""
    write_exposure(product, path, compression=compression)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def timed(work: Callable[[], object]) -> SECONDS:
    """Return median wall and processor seconds."""
    times = []
    for _ in range(RUNS + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return wall, cpu


def show(name: str, seconds: SECONDS, copy: float, path: Path | None = None) -> None:
    """Print a line."""
    wall, cpu = seconds
    size = f"{path.stat().st_size / 1e6:7.1f} MB" if path is not None else ""
    print(f"    {name:38s} {cpu / copy:6.1f} copies {cpu * 1e3:7.0f} ms, wall {wall * 1e3:7.0f} ms {size}", flush=True)


if __name__ == "__main__":
    main()
