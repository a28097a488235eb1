"""A laptop with a night on it, and sites it can be carried to, on both engines."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from registry.butler import Butler
from registry.moving.package import MANIFEST
from registry.refs import DataId, Match, QuantumFailure, QuantumSpec
from registry.sql import tables as t
from registry.timespan import Timespan
from tests.postgres import server
from tests.registry.conftest import NIGHT, JsonFormatter, _new_repository, exposure

BEGIN, END = exposure(0).begin_ns, exposure(9).end_ns
SPAN = Timespan(BEGIN, END)


@pytest.fixture
def open_new(tmp_path):
    """Open a furnished repository of either kind, again if it is there."""
    opened, databases = [], []

    def make(name: str, kind: str = "sqlite", **options) -> Butler:
        root = tmp_path / name
        if not root.exists():
            root.mkdir()
            databases.append(_new_repository(root, kind))
        butler = Butler(root, formatters={"json": JsonFormatter()}, actor=name, **options)
        opened.append(butler)
        return butler

    yield make
    for butler in opened:
        butler.close()
    for url in filter(None, databases):
        server().drop_database(url)


@pytest.fixture
def laptop(open_new):
    return fill(open_new("laptop"))


@pytest.fixture
def site(open_new, engine_kind):
    return open_new("site", "postgresql" if engine_kind == "postgresql" else "sqlite")


def fill(butler: Butler) -> Butler:
    """Three biases -> a master; two science raws corrected with it; flags, marks, tags, a chain, a failed quantum."""
    raws = [butler.put({"n": n}, "raw", DataId("lupine", NIGHT * 1000 + n, 1), "raw/lupine") for n in range(5)]
    inputs = tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in raws[:3])
    spec = QuantumSpec("make_bias", DataId("lupine", detector=1), inputs, (), "m")
    (master,) = work(butler, "calibs/1", spec, {"bias": {"level": 100}})
    diff = butler.certify("calibs", [master], SPAN, reason="first light")
    match = Match(master, diff.added[0].id, "calibs", None)
    for n, raw in enumerate(raws[3:]):
        spec = QuantumSpec("isr", raw.data_id, (("raw", raw.id),), (("bias", match),), f"key-{n}")
        work(butler, "night/1", spec, {"post_isr": {"n": n}, "statistics": {"mean": n}})
    failed = QuantumSpec("isr", DataId("lupine", NIGHT * 1000 + 5, 1), (), (), "never")
    (row,) = butler.plan("night/1", [failed], config={"clip": 3}, software={"packages": {"isrflow": "1"}})
    butler.lease([row.id])
    butler.fail(row.id, None, QuantumFailure("ValueError", "no light"))
    butler.tag("best", raws[3:4], reason="for the talk")
    butler.set_chain("search", ["calibs", "best"])
    butler.set_flag([DataId("lupine", NIGHT * 1000 + 4, 1)], "suspect", reason="satellite")
    butler.mark([butler.datasets("type = 'statistics'")[0]], "bad", reason="wrong mean")
    return butler


def work(butler, run, spec, outputs):
    (row,) = butler.plan(run, [spec], config={"clip": 3}, software={"packages": {"isrflow": "1"}})
    assert butler.lease([row.id]) == [row.id]
    return butler.publish(row.id, outputs, run=run, data_id=spec.data_id, metrics={"seconds": 1.5, "steps": 3})


def lines(package) -> list[dict]:
    """The records of a package in a directory."""
    return [json.loads(line) for line in (package / MANIFEST).read_text().splitlines()]


def content(butler: Butler, tmp_path, label: str) -> list[str]:
    """All that a repository says, in words that every repository understands: what another export of it holds."""
    path = tmp_path / f"content-{label}"
    butler.export(path, "status in ('LIVE', 'MISSING', 'PURGED')", calibs=True, provenance=True)
    found = []
    for record in lines(path):
        if record["is"] in {"package", "end"}:
            continue
        for said in ("said", "certified"):  # by whom it was imported, and when, is another matter
            record.pop(said, None)
        if record["is"] == "collection":  # a run that was there already keeps who made it when
            for name in ("owner", "created_ns", "started_ns", "host"):
                record.pop(name, None)
        if record["is"] == "dataset":  # when it came here is this repository's own
            record.pop("created_ns", None)
        found.append(record)
    files = [f"{p.relative_to(path)} {p.read_bytes()!r}" for p in (path / "files").rglob("*") if p.is_file()]
    return sorted([json.dumps(record, sort_keys=True) for record in found] + files)


def everything(butler: Butler) -> dict[str, int]:
    """How many rows each table has."""
    with butler._repository.reading() as connection:
        return {name: len(connection.execute(select(table)).all()) for name, table in t.metadata.tables.items()}
