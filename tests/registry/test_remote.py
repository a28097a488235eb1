"""A repository whose files are elsewhere: publishing, reading through the cache, crashes, ownership."""

# ruff: noqa: F811, F401 - fixtures are imported
from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from registry.butler import Butler, IngestItem
from registry.datastore.cache import CachePolicy
from registry.datastore.ownership import MARKER
from registry.errors import ConflictError, CorruptDataset, MissingDataset, TransferError, UnavailableError, UserError
from registry.outputs import outputs_of
from registry.publish import claim, move, seal, settle
from registry.refs import DataId
from tests.registry.conftest import furnish
from tests.registry.s3_server import BUCKET, refusal, s3, server

D0 = DataId("lupine", detector=0)
EXPOSURE = DataId("lupine", 20260301005, 1)
VALUES = {"post_isr": [1, 2, 3], "statistics": {"mean": 2}}


@pytest.fixture
def remote(s3, tmp_path, formatters):
    """A repository in a bucket."""
    butler = Butler.create(tmp_path / "remote", datastore=f"s3://{BUCKET}/repo", formatters=formatters, actor="tester")
    furnish(butler)
    yield butler
    butler.close()


def gets(server, ref) -> int:
    return server.requests.count(("GET", f"/{BUCKET}/repo/{ref.path}"))


def test_what_is_put_can_be_got_and_is_fetched_once(remote, s3, formatters):
    ref = remote.put({"level": 100}, "bias", D0, "calibs/1")
    assert remote.exists(ref)
    assert [remote.get(ref) for _ in range(3)] == [{"level": 100}] * 3
    with Butler(remote.root, formatters=formatters) as another:
        assert another.get(ref.id) == {"level": 100}
    assert gets(s3, ref) == 1
    assert remote.verify(rehash=True).ok


def test_a_kept_path_outlives_the_copy_in_the_cache(remote):
    ref = remote.put({"level": 100}, "bias", D0, "calibs/1")
    path = remote.path(ref)
    remote._repository.cache.trim(0)
    assert json.loads(path.read_text())["value"] == {"level": 100}
    assert path.name == ref.path.rpartition("/")[2]


def test_an_object_changed_behind_our_back_is_refused(remote):
    ref = remote.put({"level": 100}, "bias", D0, "calibs/1")
    content = remote.path(ref).read_bytes()
    remote._repository.cache.trim(0)
    for changed, says in ((content.replace(b"1", b"2"), "has not the SHA-256"), (content + b" ", "bytes instead of")):
        remote._repository.store.delete(ref.path)
        remote._repository.store.stage("x/.tmp-1", lambda path, changed=changed: path.write_bytes(changed))
        remote._repository.store.publish({"x/.tmp-1": ref.path})
        with pytest.raises(CorruptDataset, match=says):
            remote.get(ref)
    assert [finding.kind for finding in remote.verify(rehash=True).findings] == ["changed file"]
    remote._repository.store.delete(ref.path)
    with pytest.raises(MissingDataset, match=r"the file of bias .* is gone"):
        remote.get(ref)
    assert not remote.exists(ref)


def test_a_publication_is_repeatable_and_never_replaces(remote):
    first = remote.publish(None, VALUES, run="night/1", data_id=EXPOSURE)
    assert remote.publish(None, VALUES, run="night/1", data_id=EXPOSURE) == first
    with pytest.raises(ConflictError, match="published before with other content"):
        remote.publish(None, {"post_isr": [4]}, run="night/1", data_id=EXPOSURE)
    assert sorted(remote._repository.store.list()) == sorted(ref.path for ref in first)


def test_ingest_copies_moves_and_refuses_links(remote, tmp_path):
    for n in range(2):
        (tmp_path / f"{n}.json").write_text(f'{{"written": 0, "value": {n}}}')
    items = [IngestItem(tmp_path / f"{n}.json", "raw", DataId("lupine", 20260301000 + n, 0)) for n in range(2)]
    with pytest.raises(TransferError, match=r"cannot be shared by hard links with s3://nights/repo"):
        remote.ingest(items, "raw/lupine", "link")
    remote.ingest(items[:1], "raw/lupine", "copy")
    result = remote.ingest(items, "raw/lupine", "move")
    assert (len(result.refs), len(result.skipped)) == (1, 1)
    assert not any(item.path.exists() for item in items)
    assert [remote.get(ref) for ref in remote.datasets()] == [0, 1]


POINTS = ["announced", "staged", "between the uploads", "uploaded", "settled"]


def publish_until(repository, point):
    outputs = outputs_of(repository, VALUES, "night/1", EXPOSURE)
    entries = claim(repository, outputs)
    if point == "announced":
        return
    entries = seal(repository, entries, outputs)
    if point == "staged":
        return
    if point == "between the uploads":
        repository.store.publish({entries[0].tmp_path: entries[0].final_path})
        return
    move(repository.store, entries)
    if point == "settled":
        settle(repository, entries)


@pytest.mark.parametrize(
    ("point", "elsewhere"), [*((point, False) for point in POINTS), ("staged", True), ("between the uploads", True)]
)
def test_killed_at_any_point_recovery_completes_or_clears(remote, point, elsewhere, monkeypatch, tmp_path):
    """Another machine does not have what was staged here; what was uploaded it sees."""
    pid = os.fork()
    if pid == 0:
        try:
            own = Butler(remote.root, formatters=remote._repository.formatters)
            publish_until(own._repository, point)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    if elsewhere:
        shutil.rmtree(tmp_path / "cache")
    remote.recover()
    assert remote.verify(rehash=True).findings == ()
    n_complete = {"settled": 2, "uploaded": 2, "between the uploads": 2, "staged": 2, "announced": 0}[point]
    if elsewhere:
        n_complete = 1 if point == "between the uploads" else 0
    assert len(remote.datasets("run = 'night/1'")) == n_complete
    remote.publish(None, VALUES, run="night/1", data_id=EXPOSURE)
    assert {ref.type: remote.get(ref) for ref in remote.datasets("run = 'night/1'")} == VALUES
    assert remote.verify(rehash=True).findings == ()
    assert remote.stats()["unfinished writes"] == 0


@pytest.mark.parametrize("code", ["AccessDenied", "InternalError"])
def test_a_store_that_fails_leaves_nothing_half_done(remote, s3, code):
    def trouble(environ):
        return (
            refusal(403, code) if environ["REQUEST_METHOD"] == "PUT" and "statistics" in environ["PATH_INFO"] else None
        )

    with s3.during(trouble), pytest.raises(UnavailableError, match="s3://nights/repo"):
        remote.publish(None, VALUES, run="night/1", data_id=EXPOSURE)
    remote.recover()
    assert remote.datasets("status in ('live', 'staged')") == []
    assert list(remote._repository.store.list()) == []
    remote.publish(None, VALUES, run="night/1", data_id=EXPOSURE)
    assert remote.verify(rehash=True).findings == ()


def test_an_unreachable_store_is_no_reason_to_call_files_missing(remote, s3):
    ref = remote.put({"level": 100}, "bias", D0, "calibs/1")
    with s3.during(lambda _: refusal(403, "AccessDenied")), pytest.raises(UnavailableError):
        remote.verify()
    assert remote.resolve_id(ref.short).status == "LIVE"


def test_two_repositories_cannot_share_a_place(remote, tmp_path, formatters):
    make = Butler.create
    for place, says in (
        ("repo", r"s3://nights/repo belongs to the repository .* \(.*remote on .*, since 2"),
        ("repo/inner", r"s3://nights/repo/inner lies inside s3://nights/repo, which belongs to the repository"),
    ):
        with pytest.raises((UserError, UnavailableError), match=says):
            make(tmp_path / "second", datastore=f"s3://{BUCKET}/{place}", formatters=formatters)
        assert not (tmp_path / "second" / "repository.json").exists()
    remote.put({"level": 1}, "bias", D0, "calibs/1")
    with pytest.raises(UserError, match=r"s3://nights is not empty: it holds repo/"):
        make(tmp_path / "second", datastore=f"s3://{BUCKET}", formatters=formatters)
    make(tmp_path / "second", datastore=f"s3://{BUCKET}/other", formatters=formatters).close()


def test_a_repository_pointed_at_anothers_files_is_not_opened(remote, tmp_path, formatters):
    other = tmp_path / "other"
    Butler.create(other, datastore=f"s3://{BUCKET}/other", formatters=formatters).close()
    file = other / "repository.json"
    file.write_text(file.read_text().replace("/other", "/repo"))
    with pytest.raises(UnavailableError, match=r"s3://nights/repo belongs to the repository .*, not to this one"):
        Butler(other, formatters=formatters)


def test_a_registry_made_anew_does_not_take_the_files_of_the_old_one(make_butler, tmp_path, formatters):
    make_butler().put({"level": 1}, "bias", D0, "calibs/1")
    butler = make_butler()
    store = butler._repository.store.root
    assert json.loads((store / MARKER).read_text())["uuid"] == str(butler._repository.uuid)
    again = tmp_path / "again"
    with pytest.raises((UserError, UnavailableError), match="belongs to the repository"):
        Butler.create(again, datastore=str(store), formatters=formatters)


def test_a_bucket_that_is_gone_is_said_at_once(remote, s3, formatters):
    remote.close()
    with s3.during(lambda _: refusal(404, "NoSuchBucket")), pytest.raises(UnavailableError, match="no bucket 'nights'"):
        Butler(remote.root, formatters=formatters)


def test_slow_local_files_are_cached_if_wanted(make_butler, tmp_path, formatters):
    butler = make_butler()
    ref = butler.put({"level": 100}, "bias", D0, "calibs/1")
    assert butler._repository.cache is None
    policy = CachePolicy(tmp_path / "cache", local=True)
    with Butler(butler.root, formatters=formatters, cache=policy) as cached:
        assert [cached.get(ref) for _ in range(2)] == [{"level": 100}] * 2
        assert (cached._repository.cache.misses, cached._repository.cache.hits) == (1, 1)


def test_a_repository_from_before_markers_is_marked_when_it_is_opened(make_butler):
    butler = make_butler()
    butler.put({"level": 1}, "bias", D0, "calibs/1")
    marker = butler._repository.store.root / MARKER
    marker.unlink(missing_ok=True)
    make_butler()
    assert json.loads(marker.read_text())["uuid"] == str(butler._repository.uuid)


def test_the_place_where_a_disk_is_not_mounted_is_left_alone(make_butler):
    """A marker there would make an empty folder look like the datastore."""
    butler = make_butler()
    butler.put({"level": 1}, "bias", D0, "calibs/1")
    store = butler._repository.store.root
    store.rename(store.with_name("elsewhere"))
    make_butler()
    assert not store.exists()
    store.mkdir()
    make_butler()
    assert list(store.iterdir()) == []
