"""The storage contract over the table of backends, and what only the local one can show."""

from __future__ import annotations

import os

import pytest

from registry.datastore import BACKENDS
from registry.datastore.contract import FINAL, TEMPORARY, DatastoreContract, publish, put
from registry.datastore.local import LocalDatastore


@pytest.mark.parametrize("backend", sorted(BACKENDS))
class TestEveryBackend(DatastoreContract):
    @pytest.fixture
    def store(self, backend, tmp_path):
        return BACKENDS[backend](tmp_path)


def test_local_files_stand_where_the_path_says(tmp_path):
    publish(LocalDatastore(tmp_path), FINAL, b"pixels")
    assert (tmp_path / FINAL).read_bytes() == b"pixels"


def test_a_hard_link_made_by_the_writer_shares_the_bytes(tmp_path):
    source = tmp_path / "elsewhere.fits"
    source.write_bytes(b"raw")
    store = LocalDatastore(tmp_path / "store")
    store.stage(TEMPORARY, lambda path: os.link(source, path))
    store.publish({TEMPORARY: FINAL})
    assert source.samefile(tmp_path / "store" / FINAL)


def test_a_local_path_is_lent_not_copied(tmp_path):
    store = LocalDatastore(tmp_path)
    put(store, FINAL, b"pixels")
    with store.local_copy(FINAL) as path:
        assert path == tmp_path / FINAL
