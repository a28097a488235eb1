"""Clearing away: files of datasets are never touched, whatever is old and nobody's goes, and a dry run foresees it."""

# ruff: noqa: F811, F401 - fixtures are imported
from __future__ import annotations

import os
import time

import pytest

from registry.butler import Butler
from registry.delete import announce
from registry.garbage import GarbageRules
from registry.outputs import outputs_of
from registry.publish import claim, seal
from registry.refs import DataId
from tests.registry.conftest import furnish
from tests.registry.s3_server import BUCKET, s3, server

D0, D1 = DataId("lupine", detector=0), DataId("lupine", detector=1)
AT_ONCE = GarbageRules(older_than_s=0)


def litter(butler, path: str, days: float = 30) -> str:
    """Leave a file that nobody knows, of some age."""
    file = butler.root / "datastore" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("litter")
    then = time.time() - days * 86400
    os.utime(file, (then, then))
    return path


def make_old(butler):
    """Let every file seem a month old."""
    then = time.time() - 30 * 86400
    for info in butler._repository.store.scan():
        os.utime(butler.root / "datastore" / info.path, (then, then))


def done(report) -> set:
    return {(item.path, item.kind, item.action) for item in report.items}


def test_a_clean_repository_has_nothing_to_clear_away(butler):
    ref = butler.put({"level": 1}, "bias", D0, "calibs/1")
    make_old(butler)
    report = butler.collect_garbage(GarbageRules(0, remove=True, quarantined=True, purged=True, cache=True))
    assert report.render() == "nothing to clear away"
    assert butler.get(ref) == {"level": 1}
    assert [event.kind for event in butler.events()].count("gc") == 0


def test_old_orphans_are_set_aside_old_temporary_files_removed_young_ones_left(butler):
    orphan, temporary = litter(butler, "calibs/1/x.json"), litter(butler, "calibs/1/.tmp-1234-x.json")
    young = litter(butler, "young.json", days=1)
    foreseen = butler.collect_garbage(dry_run=True)
    assert "6 bytes would be freed" in foreseen.render()
    assert sorted(butler._repository.store.list()) == sorted([orphan, temporary, young])
    report = butler.collect_garbage()
    assert done(report) == done(foreseen) == {(orphan, "orphan", "set aside"), (temporary, "temporary", "removed")}
    assert report.n_young == 1
    assert "1 file(s) without a dataset are not old enough to be touched" in report.render()
    assert sorted(butler._repository.store.list()) == sorted([f".quarantine/{orphan}", young])
    (event,) = [event for event in butler.events() if event.kind == "gc"]
    assert event.payload == {"removed": 1, "set aside": 1, "bytes": 12}


def test_what_was_set_aside_goes_only_if_told(butler):
    aside = litter(butler, ".quarantine/x.json")
    assert done(butler.collect_garbage()) == {(aside, "quarantined", "left")}
    assert done(butler.collect_garbage(GarbageRules(quarantined=True))) == {(aside, "quarantined", "removed")}
    assert list(butler._repository.store.list()) == []


def test_orphans_are_removed_if_told(butler):
    orphan = litter(butler, "x.json")
    assert done(butler.collect_garbage(GarbageRules(remove=True))) == {(orphan, "orphan", "removed")}
    assert list(butler._repository.store.list()) == []


def test_a_file_restored_in_the_place_of_a_deleted_dataset_goes_only_if_told(butler):
    ref = butler.put({"level": 1}, "bias", D0, "calibs/1")
    butler.delete([ref], reason="wrong lamp")
    litter(butler, ref.path)
    assert done(butler.collect_garbage()) == {(ref.path, "deleted", "left")}
    assert done(butler.collect_garbage(GarbageRules(purged=True))) == {(ref.path, "deleted", "removed")}


def test_what_is_being_written_or_deleted_by_the_living_is_left_alone(butler):
    repository = butler._repository
    outputs = outputs_of(repository, {"bias": {"level": 1}}, "calibs/1", D0)
    entries = seal(repository, claim(repository, outputs), outputs)
    ref = butler.put({"level": 2}, "bias", D1, "calibs/1")
    announce(repository, [ref], reason="wrong lamp")
    make_old(butler)
    assert butler.collect_garbage(GarbageRules(0, remove=True, purged=True)).items == ()
    assert sorted(repository.store.list()) == sorted([entries[0].tmp_path, ref.path])


def test_leftovers_of_a_crash_are_recovered_first(butler):
    pid = os.fork()
    if pid == 0:
        own = Butler(butler.root, formatters=butler._repository.formatters)
        claim(own._repository, outputs_of(own._repository, {"bias": {}}, "calibs/1", D0))
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(butler.collect_garbage(dry_run=True).recovered.leftovers) == 1
    assert "1 leftover(s) of a crash" in butler.collect_garbage().render()
    assert butler.stats()["unfinished writes"] == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_in_a_bucket_orphans_unfinished_uploads_and_copies_go(s3, tmp_path, formatters, dry_run):
    with Butler.create(tmp_path / "repo", datastore=f"s3://{BUCKET}/repo", formatters=formatters) as butler:
        furnish(butler)
        ref = butler.put({"level": 1}, "bias", D0, "calibs/1")
        butler.get(ref)
        store, name = butler._repository.store, "calibs/1/.tmp-1-x.json"
        store.stage(name, lambda path: path.write_text("litter"))
        store.publish({name: "calibs/1/x.json"})
        store._bucket._call("create_multipart_upload", Key="repo/calibs/1/y.json")
        store.stage(name, lambda path: path.write_text("staged"))
        time.sleep(1.1)  # the server tells whole seconds
        report = butler.collect_garbage(GarbageRules(0, cache=True), dry_run=dry_run)
        assert done(report) == {
            ("calibs/1/x.json", "orphan", "set aside"),
            (name, "temporary", "removed"),
            ("calibs/1/y.json", "upload", "removed"),
            (str(tmp_path / "cache"), "copies", "removed"),
        }
        expected = {ref.path, "calibs/1/x.json", name} if dry_run else {ref.path, ".quarantine/calibs/1/x.json"}
        assert set(store.list()) == expected
        assert butler._repository.cache.usage().n_files == dry_run
        assert butler.get(ref) == {"level": 1}


def test_clearing_away_never_takes_what_another_process_is_storing(butler):
    """With no age limit at all, and removal instead of quarantine: the worst one can ask for."""
    n_files = 12
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            own = Butler(butler.root, formatters=butler._repository.formatters)
            for number in range(n_files):
                own.register_collection(f"busy/{number}", "RUN")
                own.put({"level": number}, "bias", D0, f"busy/{number}")
            code = 0
        finally:
            os._exit(code)
    ended, looks = 0, 0
    while not ended:
        report = butler.collect_garbage(GarbageRules(0, remove=True, quarantined=True, purged=True))
        assert report.items == ()
        looks += 1
        ended, status = os.waitpid(pid, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 0
    assert looks > 2
    assert sorted(butler.get(ref)["level"] for ref in butler.datasets(type="bias")) == list(range(n_files))
    assert butler.verify(rehash=True).findings == ()
