"""A tiny repository: one instrument, two detectors, one night, values that are JSON."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from registry.butler import Butler
from registry.canonical import canonical_json
from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.location import Location, write_location
from registry.refs import DatasetType
from registry.times import SECOND_NS, parse_time
from tests.postgres import server, template
from tests.registry.world import World

NIGHT = 20260301


class JsonFormatter:
    """Any JSON value; a date of writing is in the file, but not in the content."""

    extension = ".json"
    written = 0

    def write(self, value: object, path: Path) -> str:
        type(self).written += 1
        path.write_text(json.dumps({"written": self.written, "value": value}))
        return self.content_sha256(path)

    def read(self, path: Path) -> object:
        return json.loads(path.read_text())["value"]

    def content_sha256(self, path: Path) -> str:
        return hashlib.sha256(canonical_json(json.loads(path.read_text())["value"]).encode()).hexdigest()


DATASET_TYPES = (
    DatasetType("raw", ("instrument", "exposure", "detector"), "json"),
    DatasetType("bias", ("instrument", "detector"), "json", is_calibration=True),
    DatasetType("flat", ("instrument", "detector", "physical_filter"), "json", is_calibration=True),
    DatasetType("post_isr", ("instrument", "exposure", "detector"), "json"),
    DatasetType("statistics", ("instrument", "exposure", "detector"), "json"),
)


def exposure(number: int, obs_type: str = "science") -> ExposureRecord:
    begin = parse_time("2026-03-01T22:00:00") + number * 60 * SECOND_NS
    return ExposureRecord(
        instrument="lupine",
        id=NIGHT * 1000 + number,
        obs_id=f"L{NIGHT}-{number:03d}",
        day_obs=NIGHT,
        seq_num=number,
        physical_filter=None if obs_type == "bias" else "r",
        obs_type=obs_type,
        object_name="",
        begin_ns=begin,
        end_ns=begin + 30 * SECOND_NS,
        exposure_time_s=30.0,
    )


@pytest.fixture
def formatters():
    return {"json": JsonFormatter()}


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine_kind(request) -> str:
    """Every test that touches the database runs on both engines."""
    return request.param


@pytest.fixture
def world(tmp_path, engine_kind):
    with World(tmp_path, engine_kind) as one:
        yield one


@pytest.fixture
def sqlite_world(tmp_path):
    """A world for what only a file can do, or suffer."""
    with World(tmp_path, "sqlite") as one:
        yield one


@pytest.fixture
def make_butler(tmp_path, formatters, engine_kind):
    """Open the repository of this test, again if it is there; closed at the end."""
    opened, databases = [], []

    def make(**options) -> Butler:
        root = tmp_path / "repo"
        if not root.exists():
            root.mkdir()
            databases.append(_new_repository(root, engine_kind))
        butler = Butler(root, formatters=formatters, actor="tester", **options)
        opened.append(butler)
        return butler

    yield make
    for butler in opened:
        butler.close()
    for url in filter(None, databases):
        server().drop_database(url)


@pytest.fixture
def sqlite_butler(tmp_path, formatters):
    """A repository for what only a file can do, or suffer."""
    root = tmp_path / "repo"
    root.mkdir()
    _new_repository(root, "sqlite")
    with Butler(root, formatters=formatters, actor="tester") as butler:
        yield butler


@pytest.fixture
def butler(make_butler):
    return make_butler()


def _new_repository(root: Path, kind: str) -> str | None:
    """Copy the furnished repository; return the URL of its database if it is not a file."""
    (root / "datastore").mkdir()
    if kind == "sqlite":
        shutil.copy(_template() / "registry.sqlite3", root)
        return None
    url = server().new_database(template("isrflow_butler", _fill))
    write_location(Location(root, url))
    return url


@cache
def _template() -> Path:
    """Make, once, a furnished repository; migrations take longer than most tests."""
    root = Path(mkdtemp(prefix="isrflow-test-"))
    _fill(None, root)
    return root


def _fill(url: str | None, root: Path | None = None) -> None:
    folder = root or Path(mkdtemp(prefix="isrflow-test-"))
    with Butler.create(folder, url=url, formatters={"json": JsonFormatter()}, actor="tester") as butler:
        furnish(butler)


def furnish(butler: Butler) -> None:
    butler.register_instrument(
        InstrumentRecord("lupine"),
        [DetectorRecord("lupine", n, f"D{n}") for n in range(2)],
        [FilterRecord("lupine", "r", "r")],
    )
    butler.insert_exposures([exposure(n, "bias" if n < 3 else "science") for n in range(6)])
    butler.register_dataset_type(*DATASET_TYPES)
    for run in ("raw/lupine", "calibs/1", "night/1"):
        butler.register_collection(run, "RUN")
    butler.register_collection("calibs", "CALIBRATION")
