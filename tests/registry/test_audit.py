"""Verification finds what is gone, changed, left over or contradictory; and says what to do."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.errors import ConflictError, MissingDataset
from registry.refs import DataId
from registry.timespan import ALL_TIME

D0, D1 = DataId("lupine", detector=0), DataId("lupine", detector=1)


@pytest.fixture
def refs(butler):
    return [butler.put({"level": n}, "bias", d, "calibs/1") for n, d in enumerate((D0, D1))]


def path_of(butler, ref):
    return butler.root / "datastore" / ref.path


def only(report):
    (finding,) = report.findings
    assert not report.ok
    return finding


def test_a_sound_repository_is_sound(butler, refs):
    report = butler.verify(rehash=True)
    assert (report.ok, report.n_files, report.n_bytes) == (True, 2, sum(ref.size for ref in refs))
    assert report.render() == "2 file(s) hashed, 0 event(s) in the log: all as registered"


def test_a_flipped_byte_is_found_by_hashing_and_only_so(butler, refs):
    path = path_of(butler, refs[0])
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    assert butler.verify().ok
    finding = only(butler.verify(rehash=True))
    assert (finding.kind, finding.what) == ("changed file", str(refs[0]))
    assert f"instead of {refs[0].sha256[:12]}" in finding.detail


def test_a_cut_file_is_found_without_hashing(butler, refs):
    path_of(butler, refs[0]).write_bytes(b"{")
    assert f"has 1 bytes instead of {refs[0].size}" in only(butler.verify()).detail


def test_a_file_that_is_gone_makes_its_dataset_missing_and_its_return_live_again(butler, refs):
    path = path_of(butler, refs[0])
    content = path.read_bytes()
    path.unlink()
    finding = only(butler.verify())
    assert (finding.kind, finding.what) == ("missing file", str(refs[0]))
    assert refs[0] not in butler.datasets()
    assert butler.find("bias", D0, ["calibs/1"]) is None
    with pytest.raises(MissingDataset, match="cannot be used: it is MISSING"):
        butler.get(refs[0].id)
    path.write_bytes(content)
    assert butler.verify(rehash=True).ok
    assert butler.get(refs[0].id) == {"level": 0}


def test_a_missing_dataset_can_be_made_again_with_the_same_content_only(butler, refs):
    path_of(butler, refs[0]).unlink()
    butler.verify()
    with pytest.raises(ConflictError, match="NOT REPRODUCED: made again, because the file was lost"):
        butler.put({"level": 7}, "bias", D0, "calibs/1")
    again = butler.put({"level": 0}, "bias", D0, "calibs/1")
    assert (again.id, again.content_sha256) == (refs[0].id, refs[0].content_sha256)
    assert butler.verify(rehash=True).ok


def test_a_reader_only_reports_what_is_missing(butler, refs, make_butler):
    path_of(butler, refs[0]).unlink()
    assert only(make_butler(read_only=True).verify()).kind == "missing file"
    assert refs[0] in butler.datasets()


@pytest.mark.parametrize(
    ("name", "says"),
    [("stray.json", "a file that no dataset has"), (".tmp-0000-x.json", "a temporary file that nobody is writing")],
)
def test_orphans_are_listed_and_never_deleted(butler, refs, name, says):
    stray = butler.root / "datastore/calibs/1" / name
    stray.write_text("{}")
    finding = only(butler.verify())
    assert (finding.kind, finding.what, finding.detail) == ("orphan", f"calibs/1/{name}", says)
    assert stray.exists()


def test_files_in_place_are_checked_too(butler, tmp_path):
    from registry.butler import IngestItem

    path = tmp_path / "raw.json"
    path.write_text('{"value": 1}')
    butler.ingest([IngestItem(path, "raw", DataId("lupine", 20260301000, 0))], "raw/lupine", "direct")
    assert butler.verify(rehash=True).ok
    path.write_text('{"value": 2}')
    assert only(butler.verify(rehash=True)).kind == "changed file"
    path.unlink()
    assert only(butler.verify()).kind == "missing file"


def test_rows_that_contradict_each_other_are_found(butler, refs):
    with butler._repository.writing() as connection:
        connection.execute(text("DELETE FROM artifact WHERE dataset_id = 1"))
        connection.execute(text("UPDATE dataset SET status = 'STAGED' WHERE id = 2"))
    problems = {finding.detail for finding in butler.verify().findings if finding.kind == "dangling row"}
    assert problems == {"LIVE without a record of its file", "STAGED, but nobody is writing it"}


def test_an_altered_log_is_found(butler, refs):
    butler.certify("calibs", refs, ALL_TIME, reason="honest")
    assert butler.verify().ok
    with butler._repository.writing() as connection:
        connection.execute(text("DROP TRIGGER registry_event_does_not_change"))
        connection.execute(text("UPDATE registry_event SET reason = 'forged'"))
    finding = only(butler.verify())
    assert finding.kind == "broken log"
    assert "was changed after it was written" in finding.detail
    assert finding.detail in butler.verify().render()
    assert butler.verify().to_dict()["ok"] is False
