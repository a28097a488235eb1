"""What the registry costs, side by side with `lsst-daf-butler` on the same work, on SQLite and on PostgreSQL.

A night of raws, seven types of calibrations in twelve monthly epochs: created, ingested in place, certified, asked for,
resolved, planned, put and got, by one process and by four at once; then the same questions with 360 epochs. Each
registry has a process of its own, so that its memory can be told. `--full` takes the night of a large camera, 189
detectors x 100 exposures; without it the targets in seconds are scaled to the smaller night.

What is compared is not the same in one line: daf_butler plans quanta in another package (`lsst-pipe-base`), so the
times of as many `find_dataset` calls as that night needs are given, extrapolated from a sample and marked. Resolving is
done there by its query system, a set query for each type, which names datasets and says nothing of what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from postgres_server import postgresql
from registry_report import failures, render
from registry_workload import FULL, Results, Workload, write_files

HERE = Path(__file__).resolve().parent
ENGINES = ("sqlite", "postgresql")


def main() -> None:
    warnings.simplefilter("ignore")  # of the packages that start a server
    options = parse()
    if options.side:
        print(json.dumps(run_side(options).to_dict()))
        return
    work = FULL if options.full else Workload()
    if options.detectors:
        work = Workload(options.detectors, options.exposures)
    started = time.perf_counter()
    ours, theirs = compare(work, options.engines.split(","), butler=not options.alone)
    print(
        f"{work.detectors} detectors x {work.exposures} exposures = {work.quanta} quanta, {work.resolutions} matches;"
    )
    print(
        f"{work.epochs} epochs; load average {os.getloadavg()[0]:.1f}; {time.perf_counter() - started:.0f} s in all\n"
    )
    print(render(work.quanta, work.many_epochs, ours, theirs))
    for line in failures(work.quanta, ours):
        print(f"MISSED {line}")


def compare(work: Workload, engines: list[str], *, butler: bool) -> tuple[dict[str, Results], dict[str, Results]]:
    """Let both registries do the work on every engine, one after the other."""
    ours: dict[str, Results] = {}
    theirs: dict[str, Results] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the PostgreSQL server runs as another user
        write_files(work, folder / "files")
        make = stack.enter_context(postgresql(folder / "pg")) if "postgresql" in engines else None
        for engine in engines:
            for side, results in [("ours", ours)] + ([("lsst", theirs)] if butler else []):
                url = make(side) if make is not None and engine == "postgresql" else ""
                measured = in_own_process(work, side, folder / f"{side}-{engine}", url, folder / "files")
                if measured is not None:
                    results[engine] = measured
    return ours, theirs


def in_own_process(work: Workload, side: str, root: Path, url: str, files: Path) -> Results | None:
    """Run one side in a fresh interpreter; return what it measured, None if the other one cannot work here."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), "--side", side]
    command += ["--work", json.dumps(asdict(work)), "--root", str(root), "--url", url, "--files", str(files)]
    print(f"  {root.name} ...", file=sys.stderr, flush=True)
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode and side == "lsst":
        print(f"{root.name} cannot be measured: {done.stderr.strip().splitlines()[-1]}\n")
        return None
    if done.returncode:
        raise SystemExit(f"{root.name} failed:\n{done.stderr[-3000:]}")
    return Results.from_dict(json.loads(done.stdout.splitlines()[-1]))


def run_side(options: argparse.Namespace) -> Results:
    """Do the work in this process."""
    from registry_lsst import LsstSide
    from registry_ours import OurSide

    side = {"ours": OurSide, "lsst": LsstSide}[options.side]
    work = Workload(**json.loads(options.work))
    return side(work, Path(options.root), options.url or None, Path(options.files)).run()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="189 detectors x 100 exposures")
    parser.add_argument("--engines", default=",".join(ENGINES), help="sqlite, postgresql, or both")
    parser.add_argument("--alone", action="store_true", help="measure isrflow only")
    parser.add_argument("--detectors", type=int, default=0)
    parser.add_argument("--exposures", type=int, default=10)
    for name in ("side", "work", "root", "url", "files"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
