"""What a long history costs: 20 nights of a large camera, 378,000 quanta with eight inputs each, on both engines.

Loaded as `registry_history` says; then the questions that look at all of it: the impact of a flat, the difference of
two runs of a night, verification, and the calibrations of a night, early and late. `--full` takes all of it (some
minutes an engine); without it a tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

from postgres_server import postgresql
from registry_history import CALIBS, FORMATTERS, History, flat_of, load, process
from registry_workload import median_time

from registry.butler import Butler

HERE = Path(__file__).resolve().parent
SMALL, FULL = History(20, 63, 30), History(20, 189, 100)
IMPACT_S, DIFF_S, VERIFY_MB, FLAT = 0.05, 1.0, 100.0, 2.0


def main() -> None:
    warnings.simplefilter("ignore")  # of the packages that start a server
    options = parse()
    if options.verify:
        verify_here(Path(options.verify))
        return
    history = FULL if options.full else SMALL
    print(f"{history.nights} nights x {history.detectors} detectors x {history.exposures} exposures = ", end="")
    print(f"{history.quanta} quanta, {8 * history.quanta} inputs; load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the PostgreSQL server runs as another user
        make = stack.enter_context(postgresql(folder / "pg")) if "postgresql" in options.engines else None
        for engine in options.engines.split(","):
            url = make("scale") if make is not None and engine == "postgresql" else None
            measure(engine, history, folder / engine, url)


def measure(engine: str, history: History, folder: Path, url: str | None) -> None:
    """Load a history and ask it."""
    print(engine)
    folder.mkdir()
    file = folder / "file.json"
    file.write_text("1")
    butler = Butler.create(folder / "repo", url=url, formatters=FORMATTERS, actor="bench")
    started, early = time.perf_counter(), 0.0
    for night in load(butler, history, file):
        early = early or night_seconds(butler, history, 0)
        if night % 5 == 4:
            say(f"loaded {night + 1} nights", time.perf_counter() - started)
    process(butler, history.data_ids(1), "again", file)
    say("size of the database", None, f"{size_mb(butler):.0f} MB")
    ask(butler, history, early)
    butler.close()
    verify_elsewhere(folder / "repo")


def ask(butler: Butler, history: History, early: float) -> None:
    """Ask what looks at all of the history."""
    flat = flat_of(history.detectors // 2)
    found = butler.impact([flat])
    say(f"impact of a flat: {found.n_products} products", median_time(lambda: butler.impact([flat])), limit=IMPACT_S)
    runs = (history.run(1), "again")
    say("diff of two runs of a night", median_time(lambda: butler.diff(*runs)), limit=DIFF_S)
    late = night_seconds(butler, history, history.nights - 1)
    first = night_seconds(butler, history, 0)
    say("resolve a night, one night loaded", early)
    say("  the first of all nights", first, limit=FLAT * early)
    say("  the last of all nights", late, limit=FLAT * early)
    run, day = history.run(3), history.day(3)
    say("quanta of a run and day", median_time(lambda: butler.quanta(run, day_obs=day)))
    say("raws of a night", median_time(lambda: butler.datasets(f"day_obs = {day}", type="raw")))


def night_seconds(butler: Butler, history: History, night: int) -> float:
    """Return the time that the calibrations of a night take."""
    ids, types = history.data_ids(night), dict.fromkeys(CALIBS, True)
    return median_time(lambda: butler.resolve(ids, types, ["calib"]))


def verify_elsewhere(root: Path) -> None:
    """Verify in a process of its own, so that its memory can be told."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), "--verify", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(f"  verify failed:\n{done.stderr[-2000:]}")
        return
    told = json.loads(done.stdout.splitlines()[-1])
    memory = f"{told['before']:.0f} MB before, {told['after']:.0f} MB at most"
    grown = told["after"] - told["before"]
    mark = "pass" if grown <= VERIFY_MB else "MISSED"
    say(f"verify {told['datasets']} datasets", told["seconds"], f"{memory} (<= {VERIFY_MB:.0f} MB more) {mark}")


def verify_here(root: Path) -> None:
    """Verify, and print what it took."""
    with Butler(root, formatters=FORMATTERS, actor="bench", read_only=True) as butler:
        butler.resolve_id(flat_of(0).id.hex)  # everything is imported now
        before, started = peak_mb(), time.perf_counter()
        report = butler.verify()
        told = {"before": before, "seconds": time.perf_counter() - started, "after": peak_mb()}
    print(json.dumps(told | {"datasets": report.n_files}))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def size_mb(butler: Butler) -> float:
    """Return how large the database is."""
    engine = butler._repository.engine  # noqa: SLF001
    if engine.dialect.name == "sqlite":
        return Path(str(engine.url.database)).stat().st_size / 1e6
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one() / 1e6


def say(what: str, seconds: float | None, more: str = "", *, limit: float | None = None) -> None:
    """Print one line, and whether it is within its limit."""
    took = "" if seconds is None else f"{seconds:9.3f} s"
    if limit is not None and seconds is not None:
        more += f"(<= {limit:.2f} s) {'pass' if seconds <= limit else 'MISSED'}"
    print(f"  {what:40s} {took:12s} {more}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="189 detectors x 100 exposures a night")
    parser.add_argument("--engines", default="sqlite,postgresql")
    parser.add_argument("--verify", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
