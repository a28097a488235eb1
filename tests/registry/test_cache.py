"""The cache of remote files: never out of date, never wrong, never larger than it may be, whoever uses it at once."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from registry.datastore.base import Fingerprint, file_fingerprint
from registry.datastore.cache import CachePolicy, FileCache
from registry.datastore.places import cache_folder
from registry.errors import CorruptDataset


class Source:
    """Files far away; counts how often they are fetched."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.expected = Fingerprint(len(content), hashlib.sha256(content).hexdigest())
        self.fetched = 0

    def __call__(self, path: Path) -> Fingerprint:
        self.fetched += 1
        path.write_bytes(self.content)
        return file_fingerprint(path)


@pytest.fixture
def cache(tmp_path):
    cache = FileCache(CachePolicy(tmp_path / "cache"))
    yield cache
    cache.close()


def read(cache: FileCache, source: Source, name: str = "bias.fits.fz") -> bytes:
    with cache.lend(source.expected, name, source) as path:
        assert path.name == name
        return path.read_bytes()


def copy_of(cache: FileCache, source: Source) -> Path:
    (path,) = (cache.folder / "files").rglob(source.expected.sha256)
    return path


def test_a_file_is_fetched_once_whatever_it_is_called(cache):
    source = Source(b"pixels")
    assert [read(cache, source), read(cache, source, "other.fits")] == [b"pixels"] * 2
    assert (source.fetched, cache.hits, cache.misses) == (1, 1, 1)
    assert (cache.usage().n_files, cache.usage().n_bytes) == (1, 6)


def test_another_process_finds_it_there(cache):
    source = Source(b"pixels")
    read(cache, source)
    other = FileCache(cache.policy)
    assert read(other, source) == b"pixels"
    assert source.fetched == 1


@pytest.mark.parametrize("change", [b"pixelz", b"pixels and more", b""])
def test_a_copy_that_was_changed_is_noticed_and_fetched_again(cache, change):
    source = Source(b"pixels")
    read(cache, source)
    copy = copy_of(cache, source)
    copy.chmod(0o644)
    copy.write_bytes(change)
    assert read(cache, source) == b"pixels"
    assert source.fetched == 2


def test_a_copy_that_was_only_touched_is_hashed_and_believed(cache):
    source = Source(b"pixels")
    read(cache, source)
    os.utime(copy_of(cache, source))
    assert read(cache, source) == b"pixels"
    assert read(cache, source) == b"pixels"
    assert source.fetched == 1


def test_copies_are_not_writable(cache):
    source = Source(b"pixels")
    with cache.lend(source.expected, "x", source) as path:
        assert path.stat().st_mode & 0o222 == 0


def test_what_is_not_what_was_stored_is_refused_and_not_kept(cache):
    source = Source(b"pixels")
    source.content = b"pixelz"
    with pytest.raises(CorruptDataset, match=r"bias.fits.fz has not the SHA-256 that it had when it was stored"):
        read(cache, source)
    assert cache.usage().n_files == 0
    source.content = b"pixels"
    assert read(cache, source) == b"pixels"


def test_a_fetch_that_fails_leaves_nothing(cache):
    source = Source(b"pixels")

    def fails(path):
        path.write_bytes(b"pix")
        raise ConnectionError("cut")

    with pytest.raises(ConnectionError), cache.lend(source.expected, "x", fails):
        pass
    assert [path for path in (cache.folder / "files").rglob("*") if path.is_file()] == []
    assert read(cache, source) == b"pixels"


def test_the_least_recently_used_go_first_and_the_budget_holds(tmp_path):
    cache = FileCache(CachePolicy(tmp_path, budget_bytes=1000))
    sources = [Source(bytes([n]) * 300) for n in range(3)]
    for source in sources:
        read(cache, source)
        time.sleep(0.01)
    read(cache, sources[0])
    read(cache, Source(b"x" * 300))
    assert cache.usage().n_bytes <= 1000
    read(cache, sources[0])
    assert sources[0].fetched == 1, "used last but one"
    read(cache, sources[1])
    assert sources[1].fetched == 2, "used first"


def test_what_is_lent_stays_readable_when_it_is_dropped(cache):
    source = Source(b"pixels")
    with cache.lend(source.expected, "x", source) as path:
        cache.trim(0)
        assert cache.usage().n_files == 0
        assert path.read_bytes() == b"pixels"


def test_what_is_kept_stays_until_the_end_and_then_goes(cache):
    source = Source(b"pixels")
    path = cache.keep(source.expected, "x.fits", source)
    assert cache.keep(source.expected, "x.fits", source) == path
    cache.trim(0)
    assert path.read_bytes() == b"pixels"
    cache.close()
    assert not path.exists()


def test_what_was_lent_to_a_process_that_was_killed_is_cleared_away(cache):
    source = Source(b"pixels")
    pid = os.fork()
    if pid == 0:
        cache.keep(source.expected, "x", source)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert len(list((cache.folder / "lent").iterdir())) == 1
    cache.trim()
    assert list((cache.folder / "lent").iterdir()) == []
    assert cache.usage().n_files == 1


def _read_often(folder, contents, log):
    cache = FileCache(CachePolicy(folder, budget_bytes=3000))
    for n in range(60):
        source = Source(contents[n % len(contents)])
        assert read(cache, source) == source.content
        if source.fetched:
            log.put(source.expected.sha256)


def test_several_processes_share_a_cache_that_is_too_small_for_them(tmp_path):
    """Copies are dropped and fetched all the time, and nobody ever reads anything wrong."""
    context = multiprocessing.get_context("fork")
    log = context.SimpleQueue()
    contents = [bytes([n]) * 700 for n in range(8)]
    workers = [context.Process(target=_read_often, args=(tmp_path, contents, log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert FileCache(CachePolicy(tmp_path)).usage().n_bytes <= 3000


def _read_one(folder, content, log):
    source = Source(content)
    plain = source.__call__

    def slowly(path):
        time.sleep(0.2)
        return plain(path)

    with FileCache(CachePolicy(folder)).lend(source.expected, "x", slowly) as path:
        assert path.read_bytes() == content
    log.put(source.fetched)


def test_of_processes_that_want_the_same_file_one_fetches_it(tmp_path):
    context = multiprocessing.get_context("fork")
    log = context.SimpleQueue()
    workers = [context.Process(target=_read_one, args=(tmp_path, b"pixels", log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(log.get() for _ in workers) == [0, 0, 1]


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_without_room_for_the_cache_work_goes_on_without_it(cache, monkeypatch, trouble):
    source, plain = Source(b"pixels"), Path.mkdir

    def mkdir(self, *args, **options):
        if cache.folder in self.parents:
            raise OSError(trouble, os.strerror(trouble), str(self))
        plain(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.warns(UserWarning, match="files are not kept in the cache"):
        assert read(cache, source) == b"pixels"
    assert cache.keep(source.expected, "x.fits", source).read_bytes() == b"pixels"


def test_the_folder_is_the_users_own_unless_one_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("ISRFLOW_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "isrflow"
    monkeypatch.setenv("ISRFLOW_CACHE_DIR", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
