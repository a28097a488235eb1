"""The promise of `Datastore` as tests: inherit `DatastoreContract` and give it a store.

.. code-block:: python

    class TestMyStore(DatastoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)
"""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from registry.datastore.base import QUARANTINE, is_temporary, temporary_name

if TYPE_CHECKING:
    from pathlib import Path

    from registry.datastore.base import Datastore, Fingerprint

FINAL = "run/bias/20260301/bias_lupine_5_2_1a2b3c4d.fits"
TEMPORARY = temporary_name(FINAL, "0001")


class DatastoreContract:
    """What every backend must do."""

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

    @pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside", "", "a//b", "./a"])
    def test_paths_that_leave_the_store_are_refused(self, store: Datastore, path: str) -> None:
        with pytest.raises(ValueError, match="is not a plain relative path inside a datastore"):
            store.size(path)
        with pytest.raises(ValueError, match="is not a plain relative path inside a datastore"):
            put(store, path, b"")


def put(store: Datastore, path: str, content: bytes) -> Fingerprint:
    """Stage `content` under `path`."""
    return store.stage(path, lambda target: target.write_bytes(content))


def publish(store: Datastore, path: str, content: bytes) -> None:
    """Stage and publish `content` under `path`."""
    temporary = temporary_name(path, "0000")
    put(store, temporary, content)
    store.publish({temporary: path})
