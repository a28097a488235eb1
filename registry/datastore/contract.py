"""The promise of `Datastore` as tests: inherit `DatastoreContract` and give it a store.

.. code-block:: python

    class TestMyStore(DatastoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

A store on another machine inherits `RemoteDatastoreContract` as well, and gives it stores in trouble.
"""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import hashlib
import os
import signal
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import pytest

from registry.datastore.base import OWN, QUARANTINE, is_temporary, temporary_name
from registry.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from registry.datastore.base import Datastore, Fingerprint

FINAL = "run/bias/20260301/bias_lupine_5_2_1a2b3c4d.fits"
TEMPORARY = temporary_name(FINAL, "0001")
OUTSIDE = ("/etc/passwd", "../outside", "a/../../outside", "", "a//b", "./a", "a/.", "a/")
UNICODE = ("nächte/bias/_/früh_1.fits", "run/星/x.fits", "run/a b+c=d&e%20f#g?h.fits")
_MIB = 1 << 20


class DatastoreContract:
    """What every backend must do."""

    large_mib: ClassVar[int] = 96
    """Size of the file that must not go through memory as a whole."""
    memory_mib: ClassVar[int] = 72
    """How much memory storing and reading it may take."""
    shared: ClassVar[bool] = True
    """Whether other processes see what this one stores."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Datastore:
        """Return an empty store; to be overridden."""
        raise NotImplementedError("override the fixture `store` of DatastoreContract")

    def test_a_staged_file_has_the_size_and_the_hash_of_its_bytes(self, store: Datastore) -> None:
        staged = put(store, TEMPORARY, b"pixels")
        assert (staged.size, staged.sha256) == (6, hashlib.sha256(b"pixels").hexdigest())
        assert store.fingerprint(TEMPORARY) == staged

    def test_a_staged_file_is_listed_under_its_temporary_name_only(self, store: Datastore) -> None:
        put(store, TEMPORARY, b"pixels")
        assert list(store.list()) == [TEMPORARY]
        assert is_temporary(TEMPORARY)
        assert store.size(FINAL) is None

    def test_the_writer_sees_the_suffix_of_the_name(self, store: Datastore) -> None:
        store.stage(TEMPORARY, lambda path: path.write_text(path.suffix))
        with store.local_copy(TEMPORARY) as path:
            assert path.read_text() == ".fits"

    def test_a_writer_that_raises_leaves_nothing(self, store: Datastore) -> None:
        def write(path: Path) -> None:
            path.write_bytes(b"half of it")
            raise RuntimeError("disk on fire")

        with pytest.raises(RuntimeError, match="disk on fire"):
            store.stage(TEMPORARY, write)
        assert list(store.list()) == []

    def test_a_writer_that_writes_nothing_is_an_error(self, store: Datastore) -> None:
        with pytest.raises(FileNotFoundError):
            store.stage(TEMPORARY, lambda _: None)
        assert list(store.list()) == []

    def test_publishing_moves_the_file_to_its_final_name(self, store: Datastore) -> None:
        staged = put(store, TEMPORARY, b"pixels")
        store.publish({TEMPORARY: FINAL})
        assert list(store.list()) == [FINAL]
        assert store.fingerprint(FINAL) == staged
        with store.local_copy(FINAL) as path:
            assert path.read_bytes() == b"pixels"
            assert path.suffix == ".fits"

    def test_publishing_never_replaces(self, store: Datastore) -> None:
        publish(store, FINAL, b"first")
        put(store, TEMPORARY, b"second")
        with pytest.raises(FileExistsError):
            store.publish({TEMPORARY: FINAL})
        assert store.fingerprint(FINAL).sha256 == hashlib.sha256(b"first").hexdigest()
        assert store.size(TEMPORARY) == 6

    def test_of_many_publishers_of_one_name_exactly_one_wins(self, store: Datastore) -> None:
        temporaries = [temporary_name(FINAL, f"race{number}") for number in range(8)]
        for number, temporary in enumerate(temporaries):
            put(store, temporary, str(number).encode())

        def wins(temporary: str) -> bool:
            try:
                store.publish({temporary: FINAL})
            except FileExistsError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = [temporary for temporary, won in zip(temporaries, pool.map(wins, temporaries), strict=True) if won]
        assert len(won) == 1
        assert sorted(store.list()) == sorted({FINAL, *temporaries} - {won[0]})

    def test_quarantine_frees_the_name_and_keeps_every_file(self, store: Datastore) -> None:
        kept = []
        for content in (b"a", b"bb", b"ccc"):
            publish(store, FINAL, content)
            kept.append(store.quarantine(FINAL))
        assert store.size(FINAL) is None
        assert sorted(store.list()) == sorted(kept)
        assert [store.size(path) for path in kept] == [1, 2, 3]
        assert all(path.startswith(f"{QUARANTINE}/") for path in kept)

    def test_delete_says_whether_there_was_something(self, store: Datastore) -> None:
        publish(store, FINAL, b"pixels")
        assert store.delete(FINAL)
        assert not store.delete(FINAL)
        assert list(store.list()) == []

    def test_list_of_a_folder_does_not_include_its_namesakes(self, store: Datastore) -> None:
        publish(store, "run/a/x.fits", b"")
        publish(store, "run/ab/x.fits", b"")
        assert list(store.list("run/a")) == ["run/a/x.fits"]
        assert list(store.list("nowhere")) == []

    def test_what_is_absent_is_said_to_be_absent(self, store: Datastore) -> None:
        assert store.size(FINAL) is None
        with pytest.raises(FileNotFoundError):
            store.fingerprint(FINAL)
        with pytest.raises(FileNotFoundError), store.local_copy(FINAL):
            pass

        with pytest.raises(FileNotFoundError):
            store.publish({TEMPORARY: FINAL})

    def test_fetching_gives_a_file_of_ones_own_and_what_it_is(self, store: Datastore, tmp_path: Path) -> None:
        publish(store, FINAL, b"pixels")
        own = tmp_path / "own.fits"
        assert store.fetch(FINAL, own) == store.fingerprint(FINAL)
        own.write_bytes(b"changed")
        assert store.fingerprint(FINAL).size == 6
        with pytest.raises(FileNotFoundError):
            store.fetch("absent.fits", tmp_path / "absent.fits")

    def test_scan_tells_size_and_time_of_what_list_lists(self, store: Datastore) -> None:
        before = time.time_ns()
        publish(store, FINAL, b"pixels")
        put(store, TEMPORARY, b"more pixels")
        found = {info.path: info for info in store.scan()}
        assert {path: info.size for path, info in found.items()} == {FINAL: 6, TEMPORARY: 11}
        assert sorted(found) == sorted(store.list())
        slack_ns = 2 * 10**9  # object stores tell whole seconds
        assert all(before - slack_ns <= info.modified_ns <= time.time_ns() + slack_ns for info in found.values())

    def test_what_a_store_keeps_for_itself_is_not_listed(self, store: Datastore) -> None:
        publish(store, f"{OWN}repository", b"ours")
        assert list(store.list()) == []
        assert store.size(f"{OWN}repository") == 4

    def test_nothing_is_left_to_sweep_when_nothing_was_interrupted(self, store: Datastore) -> None:
        publish(store, FINAL, b"pixels")
        assert list(store.sweep(time.time_ns() + 10**12)) == []
        assert list(store.list()) == [FINAL]

    def test_an_empty_file_is_a_file(self, store: Datastore, tmp_path: Path) -> None:
        publish(store, FINAL, b"")
        assert store.size(FINAL) == 0
        assert store.fetch(FINAL, tmp_path / "empty").sha256 == hashlib.sha256(b"").hexdigest()

    @pytest.mark.parametrize("path", UNICODE)
    def test_names_in_any_script_come_back_as_they_were(self, store: Datastore, path: str) -> None:
        publish(store, path, b"pixels")
        assert list(store.list()) == [path]
        assert store.fingerprint(path).size == 6
        store.quarantine(path)
        assert list(store.list()) == [f"{QUARANTINE}/{path}"]

    @pytest.mark.parametrize("path", OUTSIDE)
    def test_paths_that_leave_the_store_are_refused(self, store: Datastore, path: str, tmp_path: Path) -> None:
        put(store, TEMPORARY, b"pixels")
        refused = pytest.raises(ValueError, match="is not a plain relative path inside a datastore")
        with refused:
            store.size(path)
        with refused:
            put(store, path, b"")
        with refused:
            store.publish({TEMPORARY: path})
        with refused:
            store.fingerprint(path)
        with refused:
            store.fetch(path, tmp_path / "own")
        with refused, store.local_copy(path):
            pass
        with refused:
            store.delete(path)
        with refused:
            store.quarantine(path)
        assert list(store.list()) == [TEMPORARY]

    def test_several_files_are_published_in_one_call(self, store: Datastore) -> None:
        moves = {temporary_name(final, "0"): final for final in ("run/a.fits", "run/b.fits", "other/c.fits")}
        for temporary in moves:
            put(store, temporary, temporary.encode())
        store.publish(moves)
        assert sorted(store.list()) == sorted(moves.values())

    def test_a_name_that_is_taken_stops_a_call_and_what_waits_stays_whole(self, store: Datastore) -> None:
        publish(store, "run/b.fits", b"first")
        moves = {temporary_name(final, "0"): final for final in ("run/a.fits", "run/b.fits", "run/c.fits")}
        for temporary in moves:
            put(store, temporary, b"second")
        with pytest.raises(FileExistsError):
            store.publish(moves)
        assert store.size("run/b.fits") == 5
        assert store.size(temporary_name("run/b.fits", "0")) == 6

    def test_readers_see_nothing_of_a_file_or_all_of_it(self, store: Datastore) -> None:
        content = bytes(range(256)) * 4096
        put(store, TEMPORARY, content)

        def look(_: int) -> int | None:
            return store.size(FINAL)

        with ThreadPoolExecutor(4) as pool:
            looks = pool.map(look, range(40))
            store.publish({TEMPORARY: FINAL})
            assert set(looks) <= {None, len(content)}
        assert store.fingerprint(FINAL).sha256 == hashlib.sha256(content).hexdigest()

    def test_a_process_killed_while_writing_leaves_nothing_under_the_final_name(self, store: Datastore) -> None:
        if not self.shared:
            return

        def write(path: Path) -> None:
            path.write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)

        pid = os.fork()
        if pid == 0:
            try:
                store.stage(TEMPORARY, write)
            finally:
                os._exit(1)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        assert store.size(FINAL) is None
        assert all(is_temporary(path) for path in store.list())
        publish(store, FINAL, b"all of it")
        assert store.fingerprint(FINAL).size == 9

    def test_a_large_file_does_not_go_through_memory_as_a_whole(self, store: Datastore, tmp_path: Path) -> None:
        block = os.urandom(_MIB)

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                for _ in range(self.large_mib):
                    stream.write(block)

        tracemalloc.start()
        try:
            staged = store.stage(TEMPORARY, write)
            store.publish({TEMPORARY: FINAL})
            assert store.fetch(FINAL, tmp_path / "own") == staged
            assert store.fingerprint(FINAL) == staged
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert staged.size == self.large_mib * _MIB
        assert peak < self.memory_mib * _MIB


class RemoteDatastoreContract:
    """What a store on another machine must do when it cannot be used: say so, in an error that names it and a way out.

    Override the fixture `troubled`: stores that do not exist, let nobody in, or do not answer.
    """

    @pytest.fixture
    def troubled(self) -> Datastore:
        """Return a store that cannot be used; to be overridden (and parametrised)."""
        raise NotImplementedError("override the fixture `troubled` of RemoteDatastoreContract")

    def test_a_store_that_cannot_be_used_is_not_taken_for_an_empty_one(
        self, troubled: Datastore, tmp_path: Path
    ) -> None:
        put(troubled, TEMPORARY, b"pixels")
        asked = (
            lambda: troubled.size(FINAL),
            lambda: list(troubled.scan()),
            lambda: troubled.fetch(FINAL, tmp_path / "own"),
            lambda: troubled.fingerprint(FINAL),
            lambda: troubled.publish({TEMPORARY: FINAL}),
        )
        for ask in asked:
            with pytest.raises(UnavailableError) as caught:
                ask()
            assert troubled.url.rpartition("/")[0] in str(caught.value)
            assert caught.value.fix
        assert troubled.size(TEMPORARY) == 6, "what was to be stored is kept"


def put(store: Datastore, path: str, content: bytes) -> Fingerprint:
    """Stage `content` under `path`."""
    return store.stage(path, lambda target: target.write_bytes(content))


def publish(store: Datastore, path: str, content: bytes) -> None:
    """Stage and publish `content` under `path`."""
    temporary = temporary_name(path, "0000")
    put(store, temporary, content)
    store.publish({temporary: path})
