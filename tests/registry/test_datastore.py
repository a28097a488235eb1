"""The storage contract over the table of backends, and what only the local one can show."""

# ruff: noqa: F811, F401 - fixtures are imported
from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sys
import threading
import time

import pytest

from registry.datastore.contract import FINAL, TEMPORARY, DatastoreContract, RemoteDatastoreContract, publish, put
from registry.datastore.local import LocalDatastore
from registry.datastore.memory import MemoryDatastore
from registry.datastore.opening import BACKENDS, open_datastore
from registry.errors import OutsideStore, UnavailableError, UserError
from tests.registry.s3_server import BUCKET, refusal, s3, server


class TestLocal(DatastoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return open_datastore(f"file://{tmp_path}/store")


class TestLocalWithoutHardLinks(DatastoreContract):
    """As on FAT, and on some network file systems."""

    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        def link(*_args, **_options):
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        return open_datastore(str(tmp_path / "store"))


class TestMemory(DatastoreContract):
    memory_mib = 400  # all it has is memory
    shared = False

    @pytest.fixture
    def store(self):
        return MemoryDatastore()


class TestS3(DatastoreContract, RemoteDatastoreContract):
    large_mib = 40
    memory_mib = 300  # most of it is the server's, which is in this process

    @pytest.fixture
    def store(self, s3):
        return open_datastore(f"s3://{BUCKET}/some/prefix")

    @pytest.fixture(params=["no bucket", "denied", "no such key id", "server error", "connection refused", "cut"])
    def troubled(self, request, s3, monkeypatch):
        store = open_datastore(f"s3://{'void' if request.param == 'no bucket' else BUCKET}/prefix")
        store._bucket._system().retries = 1
        monkeypatch.setattr(s3, "trouble", TROUBLES.get(request.param))
        if request.param == "connection refused":
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            store = open_datastore(store.url)
            store._bucket._system().retries = 1
        return store


def cut(environ, start_response):
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the line is cut")


TROUBLES = {
    "denied": lambda _: refusal(403, "AccessDenied"),
    "no such key id": lambda _: refusal(403, "InvalidAccessKeyId"),
    "server error": lambda _: refusal(500, "InternalError"),
    "cut": lambda _: cut,
}


def test_every_backend_is_under_contract():
    """A new row of the table comes with a class above."""
    assert set(BACKENDS) == {"file", "memory", "s3"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("gopher://x/y", "files cannot be kept at 'gopher://x/y': there is file://, memory://, s3://, or a path"),
        ("s3://", "'s3://' does not name a place in object storage"),
        ("s3://user:password@bucket/x", "does not name a place in object storage"),
    ],
)
def test_a_url_that_names_no_store_is_refused(url, says):
    with pytest.raises(UserError, match=re.escape(says)):
        open_datastore(url)


def test_a_url_of_a_folder_may_hold_any_sign(tmp_path):
    publish(open_datastore(f"file://{tmp_path}/with%20blank"), FINAL, b"pixels")
    assert (tmp_path / "with blank" / FINAL).read_bytes() == b"pixels"


def test_memory_of_one_name_is_one_store():
    publish(open_datastore("memory://one"), FINAL, b"pixels")
    assert open_datastore("memory://one").size(FINAL) == 6
    assert open_datastore("memory://other").size(FINAL) is None


def test_without_s3fs_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UnavailableError, match=re.escape("pip install 'isrflow[s3]'")):
        open_datastore("s3://bucket/prefix")


def test_a_link_out_of_the_store_is_not_followed(tmp_path):
    store = LocalDatastore(tmp_path / "store")
    publish(store, FINAL, b"pixels")
    outside = tmp_path / "outside.fits"
    outside.write_bytes(b"somebody's")
    for link, target in (("link.fits", outside), ("folder", tmp_path)):
        (tmp_path / "store" / link).symlink_to(target)
    (tmp_path / "store" / "within.fits").symlink_to(tmp_path / "store" / FINAL)
    with store.local_copy("within.fits") as path:
        assert path.read_bytes() == b"pixels"
    for path in ("link.fits", "folder/outside.fits"):
        assert store.size(path) is None
        with pytest.raises(OutsideStore, match=rf"{path} is not in .*store: a symbolic link leads to .*outside.fits|/"):
            store.fingerprint(path)
        with pytest.raises(OutsideStore), store.local_copy(path):
            pass
        with pytest.raises(OutsideStore):
            store.delete(path)
    with pytest.raises(OutsideStore):
        put(store, "folder/new.fits", b"")
    assert outside.read_bytes() == b"somebody's"


def test_the_store_itself_may_be_a_link_to_a_larger_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    store = LocalDatastore(tmp_path / "store")
    publish(store, FINAL, b"pixels")
    assert (tmp_path / "disk" / FINAL).read_bytes() == b"pixels"


@pytest.mark.parametrize("answer", ["ignored", "not known"])
def test_a_server_without_conditional_writes_is_asked_first_and_it_is_said(s3, answer):
    def trouble(environ):
        if environ.get("HTTP_IF_NONE_MATCH") and answer == "not known":
            return refusal(501, "NotImplemented")
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return None

    store = open_datastore(f"s3://{BUCKET}/old")
    with s3.during(trouble):
        with pytest.warns(UserWarning, match="the server does not know conditional writes"):
            publish(store, FINAL, b"first")
        put(store, TEMPORARY, b"second")
        with pytest.raises(FileExistsError):
            store.publish({TEMPORARY: FINAL})
    assert store.size(FINAL) == 5


def test_an_upload_that_was_killed_leaves_no_object_and_its_parts_are_swept(s3):
    store = open_datastore(f"s3://{BUCKET}/prefix")
    bucket = store._bucket
    put(store, TEMPORARY, b"pixels" * (8 << 20))
    pid = os.fork()
    if pid == 0:
        child = threading.Timer(20, os._exit, (1,))
        child.start()
        system = bucket._system()
        system._call_s3, plain = None, system._call_s3

        async def dying(method, *values, **options):
            if method == "upload_part" and options["PartNumber"] == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return await plain(method, *values, **options)

        system._call_s3 = dying
        store.publish({TEMPORARY: FINAL})
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert store.size(FINAL) is None
    assert list(store.list()) == [TEMPORARY]
    later = time.time_ns() + 10**12
    assert list(store.sweep(10**18)) == [], "it may still be under way"
    assert [info.path for info in store.sweep(later, dry_run=True)] == [FINAL]
    assert [info.path for info in store.sweep(later)] == [FINAL]
    assert list(store.sweep(later)) == []
    store.publish({TEMPORARY: FINAL})
    assert list(store.list()) == [FINAL]


def test_a_small_object_costs_one_request_to_store_and_one_to_fetch(s3, tmp_path):
    store = open_datastore(f"s3://{BUCKET}/prefix")
    publish(store, "first.fits", b"")  # the first asks whether the server knows conditions
    s3.requests.clear()
    publish(store, FINAL, b"pixels")
    store.fetch(FINAL, tmp_path / "own")
    assert s3.requests == [("PUT", f"/{BUCKET}/prefix/{FINAL}"), ("GET", f"/{BUCKET}/prefix/{FINAL}")]


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
