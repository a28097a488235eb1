"""A disk that is full, or turns read-only, at any moment: it is said, nothing is lost, and a repetition succeeds."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.butler import IngestItem
from registry.errors import RegistryError, TransferError
from registry.refs import DataId

EXPOSURE = DataId("lupine", 20260301005, 1)
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}
CALLS = ("fsync", "link", "unlink", "mkdir", "open")


@contextmanager
def failing(monkeypatch, place, number, code):
    """Let the `number`-th call of the system that changes something below a place fail; yields what was called."""
    called = []

    def wrapped(name, plain):
        def call(what, *args, **options):
            here = str(Path(f"/proc/self/fd/{what}").readlink()) if isinstance(what, int) else os.fspath(what)
            changes = name != "open" or (args and args[0] & (os.O_WRONLY | os.O_RDWR))
            if str(here).startswith(str(place)) and changes:
                called.append(name)
                if len(called) == number:
                    raise OSError(code, os.strerror(code), str(here))
            return plain(what, *args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield called


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_a_publication_fails_whole_at_every_call_and_succeeds_when_repeated(butler, monkeypatch, code):
    place = butler.root / "datastore"
    said = []
    for number in range(1, 40):
        run = f"night/{code}-{number}"
        butler.register_collection(run, "RUN")
        with failing(monkeypatch, place, number, code) as called:
            try:
                butler.publish(None, VALUES, run=run, data_id=EXPOSURE)
            except TransferError as error:
                said.append(str(error))
        usable = butler.datasets("run = :run", bind={"run": run})
        assert len(usable) in {0, 2}, "all or none"
        refs = butler.publish(None, VALUES, run=run, data_id=EXPOSURE)
        assert {ref.type: butler.get(ref) for ref in refs} == VALUES
        assert butler.stats()["unfinished writes"] == 0
        if len(called) < number:
            break
    assert 8 < number < 39, "every call was made to fail once"
    assert len(said) > 4
    assert all(f"{os.strerror(code)}" in text and "fix: free or mend the disk, then run again" in text for text in said)
    assert {finding.kind for finding in butler.verify(rehash=True).findings} <= {"orphan"}, "at worst a name too many"


def test_a_deletion_that_a_disk_refuses_is_finished_when_repeated(butler, monkeypatch):
    place = butler.root / "datastore"
    said = []
    for number in range(1, 20):
        ref = butler.put({"n": number}, "bias", DataId("lupine", detector=0), f"calibs/{_run(butler, number)}")
        with failing(monkeypatch, place, number, errno.EROFS) as called:
            try:
                butler.delete([ref], reason="test")
            except TransferError as error:
                said.append(str(error))
        butler.delete([ref], reason="test")
        assert butler.resolve_id(str(ref.id)).status == "PURGED"
        if len(called) < number:
            break
    assert 1 < number < 19
    assert said
    assert all("cannot be removed" in text for text in said)
    assert butler.verify().findings == ()


def _run(butler, number) -> int:
    butler.register_collection(f"calibs/{number}", "RUN")
    return number


@pytest.mark.parametrize("transfer", ["copy", "move"])
def test_a_file_for_which_there_is_no_room_is_refused_by_the_system_itself_and_kept(butler, tmp_path, transfer):
    """The limit on the size of files stands for a disk that is really full."""
    items = []
    for number, size in enumerate((10, 6_000_000)):
        path = tmp_path / f"{number}.json"
        path.write_text(f'{{"written": 0, "value": "{"x" * size}"}}')
        items.append(IngestItem(path, "raw", DataId("lupine", 20260301000 + number, 0)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, before[1]))
    try:
        with pytest.raises(RegistryError, match="File too large"):
            butler.ingest(items, "raw/lupine", transfer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert all(item.path.exists() for item in items)
    assert butler.datasets("status in ('live', 'staged')") == []
    assert list(butler._repository.store.list()) == []
    assert len(butler.ingest(items, "raw/lupine", transfer).refs) == 2
    assert butler.verify(rehash=True).findings == ()
