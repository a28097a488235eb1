"""Where the registry meets the world at its edges: killed beginnings, damaged files, odd names, other directories."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from registry.butler import Butler
from registry.datastore.contract import FINAL, DatastoreContract, publish, put
from registry.datastore.local import LocalDatastore
from registry.errors import ConflictError, InvalidTime, TransferError, UnavailableError, UserError, ValidityOverlap
from registry.ingest import IngestItem
from registry.recover import recover
from registry.refs import DataId, QuantumSpec
from registry.sql import leases
from registry.times import parse_time, spell_time
from registry.timespan import BEGINNING_NS, FOREVER_NS, Timespan
from tests.registry.conftest import exposure
from tests.registry.test_crash import DATA_ID, RUN, VALUES, crash, plan
from tests.registry.world import drop_guard

BIAS = DataId("lupine", None, 1)


class TestLocalStoreWithoutHardLinks(DatastoreContract):
    """A file system without hard links keeps every promise too."""

    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        def refuse(source, target):
            raise PermissionError(errno.EPERM, "Operation not permitted", str(source))

        monkeypatch.setattr(os, "link", refuse)
        return LocalDatastore(tmp_path)

    def test_the_original_name_is_gone_after_publishing(self, store):
        publish(store, FINAL, b"pixels")
        assert [path.name for path in store.root.rglob("*") if path.is_file()] == [Path(FINAL).name]


def test_a_creation_that_was_killed_does_not_stop_the_next_one(tmp_path, formatters):
    root = tmp_path / "repo"
    root.mkdir()
    (root / "registry.sqlite3").touch()
    Butler.create(root, formatters=formatters).close()
    with pytest.raises(UserError, match="there is already a registry database"):
        Butler.create(root, formatters=formatters)


def test_a_repository_with_an_odd_name_works_and_moves(tmp_path, formatters, butler):
    ref = butler.put([1], "bias", BIAS, "calibs/1")
    butler.close()
    odd = tmp_path / "a ?#%41'\"ü b"
    shutil.move(butler.root, odd)
    with Butler(odd, formatters=formatters) as moved:
        assert moved.get(ref.id) == [1]
        moved.put([2], "bias", DataId("lupine", None, 0), "calibs/1")
        assert moved.verify(rehash=True).findings == ()
        assert moved.recover().leftovers == ()


def test_a_read_only_repository_answers_and_refuses(make_butler):
    ref = make_butler().put([1], "bias", BIAS, "calibs/1")
    reader = make_butler(read_only=True)
    assert reader.get(ref) == [1]
    Path(reader.path(ref)).unlink()
    assert [finding.kind for finding in reader.verify().findings] == ["missing file"]
    for change in (
        lambda: reader.put([2], "bias", BIAS, "calibs/1"),
        lambda: reader.certify("calibs", [ref], Timespan(0, 1)),
        lambda: reader.plan(RUN, [], config={}, software={}),
        lambda: reader.register_collection("x", "RUN"),
    ):
        with pytest.raises(UserError, match="was opened for reading only"):
            change()


@pytest.mark.parametrize("damage", ["beginning", "middle", "cut"])
def test_a_damaged_database_says_so_and_what_to_do(sqlite_butler, formatters, damage):
    butler = sqlite_butler
    for number in range(60):
        butler.register_collection(f"run/{number}", "RUN", "x" * 500)
    butler.close()
    path = butler.root / "registry.sqlite3"
    content = bytearray(path.read_bytes())
    if damage == "beginning":
        content[:100] = b"\0" * 100
    elif damage == "middle":
        content[4096:-4096] = b"\xff" * (len(content) - 8192)
    else:
        del content[len(content) // 2 :]
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"is damaged[\s\S]*fix: restore"):
        read_everything(butler.root, formatters)


def read_everything(root, formatters):
    with Butler(root, formatters=formatters) as opened:
        opened.collections()
        opened.verify()


def test_names_with_odd_characters_do_not_reach_the_datastore(butler, tmp_path):
    plain = tmp_path / "my raw.json (copy 1)"
    plain.write_text('{"written": 0, "value": 7}')
    (ref,) = butler.ingest([IngestItem(plain, "raw", DATA_ID)], "raw/lupine").refs
    assert ref.path.endswith(f"{ref.short}.json")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/x\xff.json"))
    odd.write_text('{"written": 0, "value": 8}')
    with pytest.raises(TransferError, match="its name is not plain text"):
        butler.ingest([IngestItem(odd, "raw", replace(DATA_ID, detector=0))], "raw/lupine", "direct")


def test_a_full_disk_leaves_nothing_behind_and_a_re_run_succeeds(butler):
    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        own = Butler(butler.root, formatters=butler._repository.formatters)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        with pytest.raises(TransferError, match=r"could not be written[\s\S]*fix: free or mend the disk"):
            own.put("x" * 3_000_000, "bias", BIAS, "calibs/1")

    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert butler.verify().findings == ()
    assert butler.recover().leftovers == ()
    assert butler.get(butler.put("x" * 3_000_000, "bias", BIAS, "calibs/1")) == "x" * 3_000_000


def test_of_processes_that_certify_at_once_one_wins_and_the_others_are_told(butler):
    refs = []
    for number in range(4):
        butler.register_collection(f"calibs/{number}", "RUN")
        refs.append(butler.put([number], "bias", BIAS, f"calibs/{number}"))
    children = []
    for ref in refs:
        pid = os.fork()
        if pid == 0:
            code = 2
            try:
                Butler(butler.root, formatters={}).certify("calibs", [ref], Timespan(0, 10))
                code = 0
            except ValidityOverlap:
                code = 1
            finally:
                os._exit(code)
        children.append(pid)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    assert codes == [0, 1, 1, 1]
    assert len(butler.validity("calibs")) == 1
    assert butler.verify().findings == ()


def test_two_recoveries_do_not_take_a_new_lease_away(butler):
    """The second one has read the old lease before the first one freed it and a living worker took it."""
    quantum_id = plan(butler)
    crash(butler, "leased", quantum_id)
    seen = butler.quanta(RUN)
    assert recover(butler._repository).leftovers[0].kind == "lease"
    assert butler.lease([quantum_id]) == [quantum_id]
    with butler._repository.writing() as connection:
        assert leases.release(connection, seen) == []
    butler.publish(quantum_id, VALUES, run=RUN, data_id=DATA_ID)
    assert butler.quanta(RUN)[0].state == "done"


def test_a_ref_from_before_reads_the_file_that_took_its_place(butler, formatters):
    ref = butler.put([1], "bias", BIAS, "calibs/1")
    Path(butler.path(ref)).unlink()
    formatters["json"].__class__.written += 10_000_000  # the date of writing makes the new file longer
    butler.put([1], "bias", BIAS, "calibs/1")
    assert butler.get(ref) == [1]


def test_the_past_is_asked_by_numbers_of_events_that_have_happened(butler):
    ref = butler.put([1], "bias", BIAS, "calibs/1")
    butler.certify("calibs", [ref], Timespan(BEGINNING_NS, FOREVER_NS))
    newest = butler.events(1)[0].seq
    for ask in (
        lambda as_of: butler.resolve([DATA_ID], {"bias": True}, ["calibs"], as_of=as_of).matches[DATA_ID],
        lambda as_of: butler.validity("calibs", as_of=as_of),
        lambda as_of: butler.explain(DATA_ID.exposure, 1, "bias", ["calibs"], as_of=as_of).chosen,
    ):
        assert ask(newest)
        assert not ask(newest - 1)
        with pytest.raises(UserError, match=rf"there is no event \d+ yet: the newest is {newest}"):
            ask(parse_time("2026-03-01"))


def test_a_calibration_put_into_a_run_later_is_not_found_in_the_past(butler):
    old = butler.put([0], "bias", DataId("lupine", None, 0), "calibs/1")
    butler.certify("calibs", [old], Timespan(0, 1), reason="before")
    then = butler.events(1)[0].seq
    butler.certify("calibs", [old], Timespan(1, 2), reason="after")
    new = butler.put([1], "bias", BIAS, "calibs/1")
    path = ["calibs/1"]
    now = butler.resolve([DATA_ID], {"bias": True}, path)
    assert now.matches[DATA_ID]["bias"].ref.id == new.id
    past = butler.resolve([DATA_ID], {"bias": True}, path, as_of=then)
    assert (past.matches[DATA_ID], past.missing[0].reason) == ({}, "NEVER_CERTIFIED")
    assert butler.explain(DATA_ID.exposure, 1, "bias", path, as_of=then).chosen is None


def test_a_question_of_many_alternatives_is_answered(butler):
    """SQLite's own limit is a thousand; the language folds them."""
    numbers = [one.id for one in butler.exposures()]
    many = " or ".join(f"exposure = {n}" for n in [*range(1200), numbers[2]])
    assert [one.id for one in butler.exposures(many)] == [numbers[2]]


def test_exposures_have_an_end_and_know_no_nan():
    nowhere = replace(exposure(1), ra_deg=float("nan"), dark_time_s=float("nan"))
    assert (nowhere.ra_deg, nowhere.dark_time_s) == (None, None)
    assert nowhere == replace(exposure(1))
    with pytest.raises(ValueError, match="has no begin or no end"):
        replace(exposure(1), end_ns=FOREVER_NS)
    with pytest.raises(ValueError, match="has no exposure time"):
        replace(exposure(1), exposure_time_s=float("nan"))


def test_an_exposure_of_no_length_finds_its_calibration(butler):
    butler.insert_exposures([replace(exposure(50, "bias"), end_ns=exposure(50).begin_ns, exposure_time_s=0.0)])
    instant = exposure(50).begin_ns
    ref = butler.put([1], "bias", BIAS, "calibs/1")
    for span, found in ((Timespan(0, instant), False), (Timespan(instant, instant + 1), True)):
        butler.certify("calibs", [ref], span, mode="replace")
        result = butler.resolve([DataId("lupine", exposure(50).id, 1)], {"bias": True}, ["calibs"])
        assert (bool(result.matches[DataId("lupine", exposure(50).id, 1)]), result.straddles) == (found, [])


def test_times_beyond_the_sentinels_are_refused_and_others_survive_spelling():
    with pytest.raises(InvalidTime, match="only times from 1823 to 2116"):
        parse_time("2200-01-01")
    for text in ("2026-03-01", "2026-03-01T04:05:06", "2026-03-01T04:05:06.000000001", "2016-12-31T23:59:60.5"):
        assert parse_time(spell_time(parse_time(text))) == parse_time(text)
    assert spell_time(parse_time("2026-03-01")) == "2026-03-01"


def test_a_tampered_event_is_found_out_even_if_it_cannot_be_read(butler):
    ref = butler.put([1], "bias", BIAS, "calibs/1")
    butler.certify("calibs", [ref], Timespan(0, 1))
    with butler._repository.writing() as vandal:
        drop_guard(vandal, "registry_event", "registry_event_does_not_change")
        vandal.exec_driver_sql("UPDATE registry_event SET payload = 'gibberish'")
    assert {finding.kind for finding in butler.verify().findings} == {"broken log"}


def test_content_differs_is_told_with_few_lines_however_many_there_are(butler, tmp_path):
    items = []
    butler.insert_exposures([exposure(n) for n in range(100, 130)])
    for number in range(100, 130):
        path = tmp_path / f"{number}.json"
        path.write_text('{"written": 0, "value": 1}')
        items.append(IngestItem(path, "raw", DataId("lupine", exposure(number).id, 0)))
    butler.ingest(items, "raw/lupine")
    for item in items:
        item.path.write_text('{"written": 0, "value": 2}')
    with pytest.raises(ConflictError, match=r"30 file\(s\)[\s\S]*and 10 more") as caught:
        butler.ingest(items, "raw/lupine")
    assert len(caught.value.conflicts) == 30


def test_a_plan_of_work_over_an_input_that_is_not_registered_stores_nothing(butler):
    spec = QuantumSpec("isr", DATA_ID, (("raw", UUID(int=7)),), (), "key")
    with pytest.raises(LookupError, match="inputs are not registered"):
        butler.plan(RUN, [spec], config={}, software={})
    assert butler.quanta(RUN) == []


def test_staging_beside_a_foreign_temporary_file_is_safe(tmp_path):
    store = LocalDatastore(tmp_path)
    put(store, "a/.tmp-1-x.json", b"1")
    put(store, "a/.tmp-2-x.json", b"2")
    store.publish({"a/.tmp-2-x.json": "a/x.json"})
    assert sorted(store.list()) == ["a/.tmp-1-x.json", "a/x.json"]
