"""Ingest: all or none, each way of transfer, and every offender named."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from registry.butler import IngestItem
from registry.errors import ConflictError, TransferError, UnknownName, UserError
from registry.refs import DataId

RUN = "raw/lupine"
SHM = Path("/dev/shm")


def raw_files(folder, numbers=range(6), detectors=(0, 1)):
    """Write a raw for each exposure and detector, and say what each is."""
    folder.mkdir(exist_ok=True)
    items = []
    for number in numbers:
        for detector in detectors:
            path = folder / f"raw_{number}_{detector}.json"
            path.write_text(json.dumps({"written": 0, "value": [number, detector]}))
            items.append(IngestItem(path, "raw", DataId("lupine", 20260301000 + number, detector)))
    return items


def stored_files(butler):
    return sorted(butler.root / "datastore" / path for path in butler._repository.store.list())


def nothing_is_stored(butler):
    return stored_files(butler) == [] and butler.datasets("status in ('live', 'staged')") == []


@pytest.mark.parametrize("transfer", ["copy", "link", "direct"])
def test_each_way_of_transfer(butler, tmp_path, transfer):
    items = raw_files(tmp_path / "in")
    result = butler.ingest(items, RUN, transfer)
    assert [ref.data_id for ref in result.refs] == [item.data_id for item in items]
    assert result.skipped == []
    assert [butler.get(ref) for ref in result.refs] == [[n, d] for n in range(6) for d in (0, 1)]
    paths = [butler.path(ref) for ref in result.refs]
    shared = {"copy": False, "link": True, "direct": True}[transfer]
    assert all(path.samefile(item.path) is shared for path, item in zip(paths, items, strict=True))
    assert all(
        path.is_relative_to(butler.root / "datastore/raw/lupine/20260301") is (transfer != "direct") for path in paths
    )
    assert butler.verify(rehash=True).ok


@pytest.mark.parametrize("transfer", ["copy", "link", "direct"])
def test_the_same_content_again_is_skipped(butler, tmp_path, transfer):
    items = raw_files(tmp_path / "in")
    first = butler.ingest(items[:4], RUN, transfer)
    items[0].path.write_text(json.dumps({"written": 99, "value": [0, 0]})) if transfer == "copy" else None
    again = butler.ingest(items, RUN, transfer)
    assert again.skipped == first.refs
    assert [ref.data_id for ref in again.refs] == [item.data_id for item in items[4:]]


def test_all_bad_files_are_named_and_nothing_is_stored(butler, tmp_path):
    items = raw_files(tmp_path / "in")
    items[1].path.write_text("{trunca")
    items[3].path.unlink()
    with pytest.raises(TransferError, match="2 of 12 file") as caught:
        butler.ingest(items, RUN)
    assert f"{items[1].path}: Expecting property name" in str(caught.value)
    assert f"{items[3].path}: no such file" in str(caught.value)
    assert nothing_is_stored(butler)


def test_other_content_is_refused_with_all_offenders(butler, tmp_path):
    items = raw_files(tmp_path / "in")
    butler.ingest(items[:2], RUN)
    for item in items[:2]:
        item.path.write_text(json.dumps({"value": "other"}))
    with pytest.raises(
        ConflictError, match=r"2 file\(s\) are there already with other content; nothing was stored"
    ) as caught:
        butler.ingest(items, RUN)
    assert len(caught.value.conflicts) == 2
    assert len(butler.datasets(type="raw")) == 2


def test_two_files_of_one_identity_are_refused(butler, tmp_path):
    items = raw_files(tmp_path / "in", numbers=[0], detectors=[0])
    twin = IngestItem(tmp_path / "in" / "twin.json", "raw", items[0].data_id)
    twin.path.write_text(json.dumps({"value": 1}))
    with pytest.raises(ConflictError, match="files of the same identity"):
        butler.ingest([*items, twin], RUN)
    assert nothing_is_stored(butler)


def test_unknown_things_are_refused_before_files_are_read(butler, tmp_path):
    items = raw_files(tmp_path / "in", numbers=[0])
    with pytest.raises(UnknownName, match="lupine has no exposure 7"):
        butler.ingest([*items, IngestItem(tmp_path / "absent", "raw", DataId("lupine", 7, 0))], RUN)
    with pytest.raises(UnknownName, match="no dataset type 'rw'"):
        butler.ingest([IngestItem(items[0].path, "rw", items[0].data_id)], RUN)
    with pytest.raises(UnknownName, match="no collection 'raw/lupin'; did you mean 'raw/lupine'"):
        butler.ingest(items, "raw/lupin")
    with pytest.raises(UserError, match="'teleport' is not a way to transfer"):
        butler.ingest(items, RUN, "teleport")
    assert nothing_is_stored(butler)


@pytest.mark.skipif(
    not SHM.is_dir() or SHM.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev, reason="one file system"
)
def test_linking_from_another_file_system_says_what_to_do(butler):
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        items = raw_files(Path(folder) / "in", numbers=[0])
        with pytest.raises(
            TransferError, match=r"hard links cannot reach[\s\S]*fix: isrflow ingest PATHS --transfer copy"
        ):
            butler.ingest(items, RUN, "link")
    assert nothing_is_stored(butler)


def test_a_file_that_changes_meanwhile_is_refused_and_nothing_is_stored(butler, tmp_path, formatters):
    items = raw_files(tmp_path / "in", numbers=[0, 1])
    hashed = formatters["json"].content_sha256

    def change_after_the_last_look(path):
        answer = hashed(path)
        if path == items[-1].path:
            items[0].path.write_text(items[0].path.read_text().replace("0", "1"))
        return answer

    formatters["json"].content_sha256 = change_after_the_last_look
    with pytest.raises(TransferError, match="the file changed while it was being stored; nothing was stored"):
        butler.ingest(items, RUN)
    assert nothing_is_stored(butler)


def test_a_known_content_hash_spares_reading_the_file(butler, tmp_path):
    path = tmp_path / "not.json"
    path.write_text("this is not JSON")
    result = butler.ingest([IngestItem(path, "raw", DataId("lupine", 20260301000, 0), content_sha256="c" * 64)], RUN)
    assert result.refs[0].content_sha256 == "c" * 64


def test_no_files_at_all_is_no_error(butler):
    assert butler.ingest([], RUN).refs == []


def test_a_move_takes_the_originals_away_when_all_are_stored(butler, tmp_path):
    items = raw_files(tmp_path / "in", numbers=[0, 1, 2])
    contents = [item.path.read_bytes() for item in items]
    butler.ingest(items[:1], RUN, "copy")
    result = butler.ingest(items, RUN, "move")
    assert (len(result.refs), len(result.skipped)) == (5, 1)
    assert not any(item.path.exists() for item in items), "those that were there already, too"
    assert sorted(path.read_bytes() for path in stored_files(butler)) == sorted(contents)


def test_a_move_that_is_refused_takes_nothing_away(butler, tmp_path):
    items = raw_files(tmp_path / "in", numbers=[0, 1])
    items[1].path.write_text("not json")
    with pytest.raises(TransferError, match="cannot be ingested; nothing was stored"):
        butler.ingest(items, RUN, "move")
    assert all(item.path.exists() for item in items)


def test_a_move_leaves_a_file_whose_bytes_are_not_those_that_are_stored(butler, tmp_path):
    """The content is the same, its writing is not: nobody may say that it is kept."""
    items = raw_files(tmp_path / "in", numbers=[0])[:1]
    butler.ingest(items, RUN, "copy")
    items[0].path.write_text(items[0].path.read_text() + " ")
    assert len(butler.ingest(items, RUN, "move").skipped) == 1
    assert items[0].path.exists()


@pytest.mark.parametrize("transfer", ["link", "copy", "move"])
def test_of_a_symbolic_link_the_file_is_stored_not_the_link(butler, tmp_path, transfer):
    item = raw_files(tmp_path / "in", numbers=[0])[0]
    real = item.path.rename(tmp_path / "real.json")
    item.path.symlink_to(real)
    (ref,) = butler.ingest([item], RUN, transfer).refs
    stored = butler.path(ref)
    assert not stored.is_symlink()
    assert stored.samefile(real) == (transfer == "link")
    assert real.exists(), "a move takes the link away"
    assert item.path.is_symlink() == (transfer != "move")
