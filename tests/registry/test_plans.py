"""The hot questions read no table that grows with the nights from end to end: before ANALYZE, and after it."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from benchmarks.registry_history import CALIBS, FORMATTERS, History, flat_of, load
from registry.butler import Butler
from registry.refs import DataId, DatasetRef, QuantumSpec, dataset_uuid
from registry.sql.collections import tag
from registry.sql.database import write
from registry.sql.events import append_event
from registry.sql.notes import mark
from registry.timespan import Timespan
from tests.postgres import server
from tests.registry.plans import plans_of

HISTORY = History(nights=30, detectors=8, exposures=8, days_valid=1)
NIGHT = 17


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def loaded(request):
    """A registry of 1,920 quanta in 30 runs, on a server without autovacuum: nothing is analysed behind our back."""
    folder = Path(mkdtemp(prefix="isrflow-plans-"))
    file = folder / "file.json"
    file.write_text("1")
    url = server().new_database() if request.param == "postgresql" else None
    with Butler.create(folder / "repo", url=url, formatters=FORMATTERS, actor="tester") as butler:
        for _ in load(butler, HISTORY, file):
            pass
        add_years(butler)
        yield butler
    if url is not None:
        server().drop_database(url)
    shutil.rmtree(folder)


def add_years(butler) -> None:
    """Add exposures and events of other years, notes, and what other collections certify."""
    empty = [replace(HISTORY.exposure(0, i % 8), **year(i)) for i in range(3000)]
    butler.insert_exposures(empty)
    raws = [
        DatasetRef(dataset_uuid("raw/all", "raw", i), "raw", "raw/all", i)
        for n in range(40)
        for i in HISTORY.data_ids(n)
    ]
    flats = [flat_of(d, n) for n in range(HISTORY.nights) for d in range(HISTORY.detectors)]
    for i in range(8):
        butler.register_collection(f"calib/{i}", "CALIBRATION")
        for n in range(0, len(flats), HISTORY.detectors):
            begin = HISTORY.begin_ns(n)
            butler.certify(f"calib/{i}", flats[n : n + HISTORY.detectors], Timespan(begin, begin + 10**9))
    with write(butler._repository.engine) as connection:
        for i in range(500):
            append_event(connection, "note", actor="tester", payload={"i": i})
        tag(connection, "best", raws, actor="tester")
        mark(connection, raws[: len(raws) // 2], "bad", actor="tester", reason="clouds")


def year(i: int) -> dict:
    """Return what distinguishes an exposure of long ago."""
    day, begin = 20100101 + i // 8, HISTORY.begin_ns(0) - (i + 1) * 3600 * 10**9
    times = {"begin_ns": begin, "end_ns": begin + 30 * 10**9}
    return {"id": day * 1000 + i % 8, "obs_id": f"old-{i}", "day_obs": day} | times


@pytest.fixture(scope="module", params=["before ANALYZE", "after ANALYZE"])
def butler(request, loaded):
    engine = loaded._repository.engine
    if request.param.startswith("after"):
        with raw(engine) as run:
            run("ANALYZE")
    engine.dispose()  # statements that were prepared before are planned anew
    return loaded


@contextmanager
def raw(engine):
    """Lend what runs statements outside of the registry's own transactions."""
    driver = engine.raw_connection()
    try:
        yield driver.cursor().execute
        driver.commit()
    finally:
        driver.close()


def specs(butler):
    data_ids = HISTORY.data_ids(NIGHT)
    found = butler.resolve(data_ids, dict.fromkeys(CALIBS, True), ["calib"])
    return [
        QuantumSpec("isr", i, (("raw", dataset_uuid("raw/all", "raw", i)),), tuple(found.matches[i].items()), str(i))
        for i in data_ids
    ]


ONE = DataId("big", HISTORY.day(NIGHT) * 1000 + 3, 5)
RUN = HISTORY.run(NIGHT)
FIRST = Timespan(HISTORY.begin_ns(0), HISTORY.begin_ns(1))
QUESTIONS = {
    "resolve a night": lambda b: b.resolve(HISTORY.data_ids(NIGHT), dict.fromkeys(CALIBS, True), ["calib"]),
    "resolve a night as of an event": lambda b: b.resolve(
        HISTORY.data_ids(NIGHT), dict.fromkeys(CALIBS, True), ["calib"], as_of=HISTORY.nights
    ),
    "find one calibration": lambda b: b.find_calibration("flat", ONE, ["calib"]),
    "explain one calibration": lambda b: b.explain(ONE.exposure, ONE.detector, "flat", ["calib"]),
    "exposures of a night": lambda b: b.exposures(f"day_obs = {HISTORY.day(NIGHT)}"),
    "raws of a night": lambda b: b.datasets(f"day_obs = {HISTORY.day(NIGHT)}", type="raw"),
    "datasets of a run": lambda b: b.datasets(collections=[RUN]),
    "find one dataset": lambda b: b.find("raw", ONE, ["raw/all"]),
    "a dataset by its id": lambda b: b.resolve_id(dataset_uuid("raw/all", "raw", ONE).hex[:12]),
    "quanta of a run": lambda b: b.quanta(RUN),
    "quanta of a run and day": lambda b: b.quanta(RUN, day_obs=HISTORY.day(NIGHT)),
    "quanta of a day": lambda b: b.quanta(day_obs=HISTORY.day(NIGHT)),
    "quanta of a run still to do": lambda b: b.quanta(RUN, states=["planned", "failed"]),
    "plan a night again": lambda b: b.plan(RUN, specs(b), config={"a": 1}, software={"numpy": "2"}),
    "inputs of a quantum": lambda b: b.inputs(200),
    "lease quanta": lambda b: b.lease([200, 201, 202], "worker"),
    "prolong leases": lambda b: b.heartbeat([200, 201, 202], "worker"),
    "impact of a flat": lambda b: b.impact([flat_of(5, NIGHT)]),
    "compare two runs": lambda b: b.diff(HISTORY.run(3), RUN),
    "lineage upwards": lambda b: b.lineage(dataset_uuid(RUN, "product", ONE)),
    "lineage downwards": lambda b: b.lineage(dataset_uuid("raw/all", "raw", ONE), "down"),
    "provenance of a product": lambda b: b.provenance(dataset_uuid(RUN, "product", ONE)),
    "certify again": lambda b: b.certify("calib", [flat_of(d) for d in range(8)], FIRST, dry_run=True),
    "the newest events": lambda b: b.events(10),
    "put one dataset": lambda b: b.put(1, "product", ONE, "raw/all"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_hot_table_is_read_from_end_to_end_to(question, butler):
    engine = butler._repository.engine
    with plans_of(engine) as plans:
        QUESTIONS[question](butler)
    assert plans
    bad = [plan for plan in plans if plan.scanned]
    told = "\n\n".join(f"{question} reads all of {', '.join(sorted(plan.scanned))}:\n{plan}" for plan in bad)
    assert not bad, f"on {engine.dialect.name}\n{told}"


def test_verification_reads_datasets_page_after_page(loaded):
    engine = loaded._repository.engine
    with plans_of(engine) as plans:
        assert loaded.verify().n_files > 3000
    pages = [plan for plan in plans if re.search(r"FROM dataset .*LIMIT", plan.statement, re.DOTALL)]
    assert pages, "\n\n".join(map(str, plans))
    assert all("dataset.id > " in plan.statement for plan in pages)  # goes on where it was; counts nothing off
    whole = [plan for plan in pages if "dataset" in plan.scanned]
    assert not whole, "\n\n".join(map(str, whole))
