"""Two nights with all that can be asked for: attributes, modes, flags, marks, tags, chains, odd texts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from registry.dimensions import ExposureRecord
from registry.query.run import select_rows
from registry.refs import DataId
from registry.sql.collections import set_chain, tag
from registry.sql.exposures import insert_exposures
from registry.sql.flags import set_flag
from registry.sql.notes import mark
from registry.times import SECOND_NS, parse_time
from tests.registry.world import World

START = parse_time("2026-03-01T20:00:00")
OBJECTS = ("M 31", "", "Ångström_1", "100%", 'o\'clock "x"', "a.b", "line\nbreak", "Zz", "zz", "{star*}")
ATTRS = (
    {"airmass": 1.25, "program": "deep", "ok": True},
    {"airmass": 2, "program": "Deep", "ok": False},
    {"airmass": "high", "DATE-OBS": "2026-03-01"},
    {"program": None, "ok": "true"},
    {},
    {"airmass": 1e-3, "nested": {"airmass": 1}, "ok": 1},
)


def records() -> list[ExposureRecord]:
    found = []
    for i in range(14):
        obs_type = ("bias", "flat", "science")[i % 3]
        begin = START + (i * 700 + (86400 if i > 6 else 0)) * SECOND_NS
        length = 0.0 if obs_type == "bias" else 7.5 * i
        found.append(
            ExposureRecord(
                instrument="lupine",
                id=1000 + i,
                obs_id=f"L-{i:02d}",
                day_obs=20260301 if i <= 6 else 20260302,
                seq_num=i - 4,
                physical_filter=None if obs_type == "bias" else "rg"[i % 2],
                obs_type=obs_type,
                object_name=OBJECTS[i % len(OBJECTS)],
                begin_ns=begin,
                end_ns=begin + round(length * SECOND_NS),
                exposure_time_s=length,
                dark_time_s=length if i % 4 else None,
                ra_deg=None if i % 5 == 0 else float(i),
                dec_deg=None if i % 3 == 0 else 10.0 - i,
                readout_mode={"binning": 1 + i % 2, "amps": "ABCD"} if i % 4 else {},
                attrs=ATTRS[i % len(ATTRS)],
            )
        )
    return found


def band(record: ExposureRecord) -> str | None:
    return {None: None, "r": "red", "g": "green"}[record.physical_filter]


FLAGGED = {1002: "bad", 1003: "suspect", 1011: "bad"}


class Nights(SimpleNamespace):
    def __repr__(self) -> str:
        return "nights"


@pytest.fixture(scope="session")
def nights(tmp_path_factory, engine_kind):
    with World(tmp_path_factory.mktemp("nights"), engine_kind) as world:
        with world.write() as connection:
            insert_exposures(connection, records())
        raws = [world.dataset("raw/lupine", "raw", DataId("lupine", 1000 + i, n)) for i in range(14) for n in range(2)]
        first, second = (world.calib(run, detector=0) for run in ("calibs/1", "calibs/2"))
        world.certify(first, START, START + SECOND_NS, collection="calib/site")
        world.certify(second, START, START + SECOND_NS, collection="calib/old")
        world.decertify(second, START, START + SECOND_NS, collection="calib/old")
        lost = world.dataset("raw/lupine", "raw", DataId("lupine", 1000, 2), status="MISSING")
        with world.write() as connection:
            tag(connection, "best", raws[4:7], actor="ada")
            set_chain(connection, "inner", ["best", "calibs/2"])
            set_chain(connection, "all", ["inner", "calib/site"])
            set_flag(connection, [DataId("lupine", 1002)], "bad", actor="ada", reason="clouds")
            set_flag(connection, [DataId("lupine", 1003, 1)], "suspect", actor="ada", reason="satellite")
            set_flag(connection, [DataId("lupine", 1011, 0)], "bad", actor="ada", reason="glow")
            mark(connection, [second], "bad", actor="ada", reason="light leak")
        yield Nights(world=world, raws=raws, first=first, second=second, lost=lost)


@pytest.fixture
def ask(nights):
    """Ask and return rows."""

    def asking(what="exposures", where="", **options):
        with nights.world.read() as connection:
            return select_rows(connection, what, where, **options)

    return asking
