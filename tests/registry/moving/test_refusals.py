"""What is not taken in: packages that were changed or lead elsewhere, and what is another thing here."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile

import pytest

from registry.dimensions import DetectorRecord, InstrumentRecord
from registry.errors import ConflictError, CorruptDataset, TransferError, UserError, VersionError
from registry.moving.manifest import ManifestWriter
from registry.moving.package import MANIFEST
from registry.refs import DataId
from registry.timespan import Timespan
from tests.registry.conftest import NIGHT, exposure
from tests.registry.moving.conftest import BEGIN, END, everything, lines


@pytest.fixture
def package(laptop, tmp_path):
    path = tmp_path / "package"
    laptop.export(path, calibs=True, provenance=True)
    return path


@pytest.fixture
def untouched(open_new):
    """Whatever is tried, nothing is stored; packages are looked at before any database is asked."""
    site = open_new("site")
    before = everything(site)
    yield site
    assert everything(site) == before
    assert not [p for p in (site.root / "datastore").rglob("*") if p.is_file() and not p.name.startswith(".isrflow")]


def rewrite(package, change) -> None:
    """Let a forger change records and set the last line right again."""
    records = lines(package)[:-1]
    with ManifestWriter(package / MANIFEST) as manifest:
        for record in records:
            is_ = record.pop("is")
            for changed in change(is_, record):
                manifest.write(is_, **changed)


def test_a_file_that_was_changed_is_refused(untouched, package):
    victim = min(p for p in (package / "files").rglob("*.json"))
    victim.write_text(victim.read_text() + " ")
    with pytest.raises(CorruptDataset, match=r"nothing was stored: the file of .* its hash is another"):
        untouched.import_package(package)


def test_a_file_that_is_gone_or_one_too_many_is_refused(untouched, package):
    extra = package / "files" / "ab" / "stowaway.json"
    extra.parent.mkdir(exist_ok=True)
    extra.write_text("{}")
    with pytest.raises(CorruptDataset, match=r"1 file.* that its manifest does not name: files/ab/stowaway.json"):
        untouched.import_package(package)
    extra.unlink()
    min((package / "files").rglob("*.json")).unlink()
    with pytest.raises(CorruptDataset, match=r"the file of .* is not in it"):
        untouched.import_package(package)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"obs_type":"science"', '"obs_type":"flat"', "the hash in its last line is another"),
        ('{"is":"end"', '{"is":"tag"', "means nothing here|was cut"),
        ('"format":"isrflow-package"', '"format":"zip"', "does not begin as"),
        ('{"dataset":', "{dataset:", "is not JSON"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(untouched, package, old, new, says):
    text = (package / MANIFEST).read_text()
    assert old in text or old == '{"is":"end"'
    changed = text.replace(old, new) if old in text else "\n".join(text.splitlines()[:-1]) + "\n"
    (package / MANIFEST).write_text(changed)
    with pytest.raises(CorruptDataset, match=says):
        untouched.import_package(package)


def test_a_manifest_that_was_cut_is_refused_wherever_it_ends(untouched, package):
    whole = (package / MANIFEST).read_bytes()
    for keep in (0, 10, len(whole) // 3, len(whole) // 2, len(whole) - 2):
        (package / MANIFEST).write_bytes(whole[:keep])
        with pytest.raises(CorruptDataset, match=r"was cut|is not JSON|no record"):
            untouched.import_package(package)
    (package / MANIFEST).write_bytes(whole + b'{"is":"tag"}\n')
    with pytest.raises(CorruptDataset, match="goes on after its end"):
        untouched.import_package(package)


def test_a_zip_that_was_cut_or_damaged_is_refused(untouched, laptop, tmp_path):
    path = tmp_path / "night.zip"
    laptop.export(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(CorruptDataset, match="it is no whole zip file"):
        untouched.import_package(path)
    middle = bytearray(whole)
    middle[80] ^= 0xFF
    path.write_bytes(middle)
    with pytest.raises(CorruptDataset):
        untouched.import_package(path)


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "files/../../evil.json", "files\\evil.json"])
def test_a_zip_with_names_that_lead_elsewhere_is_refused(untouched, laptop, tmp_path, name):
    path = tmp_path / "night.zip"
    laptop.export(path)
    with zipfile.ZipFile(path, "a") as forged:
        forged.writestr(name, "{}")
    with pytest.raises(CorruptDataset, match="leads elsewhere"):
        untouched.import_package(path)


def test_links_are_refused_in_both_forms(untouched, package, laptop, tmp_path):
    victim = min((package / "files").rglob("*.json"))
    target = shutil.copy(victim, tmp_path / "outside.json")
    victim.unlink()
    victim.symlink_to(target)
    with pytest.raises(CorruptDataset, match="is a link or a device"):
        untouched.import_package(package)
    victim.unlink()
    os.mkfifo(victim)
    with pytest.raises(CorruptDataset, match="is a link or a device"):
        untouched.import_package(package)
    path = tmp_path / "night.zip"
    laptop.export(path)
    with zipfile.ZipFile(path, "a") as forged:
        link = zipfile.ZipInfo("files/link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        forged.writestr(link, "/etc/passwd")
    with pytest.raises(CorruptDataset, match="is a link or a device"):
        untouched.import_package(path)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("dataset", {"run": "night/2"}, "is not the id of"),
        ("dataset", {"extension": ".json/../../x"}, "is not the extension of a file"),
        ("dataset", {"extension": "/x"}, "is not the extension of a file"),
        ("dataset", {"status": "STAGED"}, "a dataset is not 'STAGED'"),
        ("dataset", {"data_id": {"instrument": "lupine", "exposure": "1; drop"}}, "is not a data id"),
        ("dataset", {"size": None}, "has a file without size or hash"),
        ("quantum", {"task": "other"}, "is not the id of other"),
        ("config", {"value": "{}"}, "its hash is another"),
        ("exposure", {"end_ns": 0}, "ends before it begins"),
        ("exposure", {"surprise": 1}, "surprise"),
        ("collection", {"kind": "CHAINED"}, "not a kind of collection"),
        ("validity", {"begin_ns": "now"}, "begin_ns is 'now', not of type int"),
    ],
)
def test_a_forged_record_is_refused_though_all_hashes_fit(untouched, package, kind, change, says):
    rewrite(package, lambda is_, record: [record | change if is_ == kind else record])
    with pytest.raises(CorruptDataset, match=says):
        untouched.import_package(package)


def test_a_package_of_tomorrow_is_refused_with_the_way_out(untouched, package):
    rewrite(package, lambda is_, record: [record | {"version": 2} if is_ == "package" else record])
    with pytest.raises(VersionError, match=r"has format 2; this program reads 1\n.*pip install"):
        untouched.import_package(package)


def test_what_is_no_package_is_refused(untouched, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorruptDataset, match=r"it has no manifest.jsonl"):
        untouched.import_package(tmp_path / "empty")
    with pytest.raises(TransferError, match="there is no package"):
        untouched.import_package(tmp_path / "nowhere.zip")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(CorruptDataset, match="no whole zip file"):
        untouched.import_package(tmp_path / "text.zip")


def test_a_file_that_changed_in_the_repository_is_not_exported(laptop, tmp_path):
    victim = next((laptop.root / "datastore").rglob("bias*.json"))
    victim.write_text(victim.read_text().replace("100", "101"))
    with pytest.raises(CorruptDataset, match=r"is not what was stored: .*; nothing was exported"):
        laptop.export(tmp_path / "p")
    assert [p.name for p in tmp_path.iterdir()] == ["laptop"]


# ---------------------------------------------------------------------------------------------------------- conflicts


def refused(site, package, says) -> ConflictError:
    before = everything(site)
    planned = site.import_package(package, dry_run=True)
    with pytest.raises(ConflictError, match=says) as caught:
        site.import_package(package)
    assert everything(site) == before
    assert list(planned.conflicts) == caught.value.conflicts
    assert "conflicts, because of which nothing would be stored" in planned.render()
    return caught.value


def test_another_content_under_the_same_id_is_explained(site, package):
    site.put({"n": "other"}, "raw", DataId("lupine", NIGHT * 1000 + 3, 1), "raw/lupine")
    error = refused(site, package, r"1 of dataset.*nothing was stored:\n  raw .* here content .*, LIVE; in the package")
    assert "another --out" in error.fix
    (conflict,) = error.conflicts
    assert conflict.kind == "dataset"


def test_all_conflicts_come_at_once(site, package):
    for n in range(3):
        site.put({"n": "other"}, "raw", DataId("lupine", NIGHT * 1000 + n, 1), "raw/lupine")
    site.register_collection("calibs/site", "RUN")
    master = site.put({"level": 99}, "bias", DataId("lupine", detector=1), "calibs/site")
    site.certify("calibs", [master], Timespan(BEGIN, END), reason="our own")
    error = refused(site, package, "3 of dataset, 1 of validity")
    assert len(error.conflicts) == 4


def test_overlapping_certifications_say_who_and_what_and_propose_a_mode(site, package, laptop):
    site.register_collection("calibs/site", "RUN")
    master = site.put({"level": 99}, "bias", DataId("lupine", detector=1), "calibs/site")
    site.certify("calibs", [master], Timespan(BEGIN - 5, END), reason="our own")
    error = refused(site, package, "certified by site at .* .our own.*certified by laptop")
    assert "--validity replace" in error.fix
    with pytest.raises(UserError, match="there is idempotent, replace"):
        site.import_package(package, validity="perhaps")
    site.import_package(package, validity="replace")
    rows = site.validity("calibs")
    theirs = laptop.datasets("type = 'bias'")[0].id
    assert {(row.dataset, row.span.begin_ns, row.span.end_ns) for row in rows} == {
        (master.id, BEGIN - 5, BEGIN),
        (theirs, BEGIN, END),
    }


def test_validity_can_be_left_alone_or_fill_gaps(site, package):
    site.register_collection("calibs/site", "RUN")
    master = site.put({"level": 99}, "bias", DataId("lupine", detector=1), "calibs/site")
    half = (BEGIN + END) // 2
    site.certify("calibs", [master], Timespan(BEGIN, half), reason="our own")
    site.import_package(package, validity="skip")
    assert len(site.validity("calibs")) == 1
    site.import_package(package, validity="fill-gaps")
    assert [(row.span.begin_ns, row.span.end_ns) for row in site.validity("calibs")] == [(BEGIN, half), (half, END)]


def test_another_camera_and_another_serial_number_are_explained(open_new, package, tmp_path):
    from registry.butler import Butler
    from tests.registry.conftest import DATASET_TYPES, JsonFormatter

    with Butler.create(tmp_path / "other", formatters={"json": JsonFormatter()}, actor="x") as other:
        other.register_instrument(
            InstrumentRecord("lupine", 3600.0),
            [DetectorRecord("lupine", 0, "D0"), DetectorRecord("lupine", 1, "D1", "E2V-17")],
            [],
        )
        other.register_dataset_type(*DATASET_TYPES)
        error = refused(other, package, "instrument lupine: here rollover_s 3600.0; in the package rollover_s 0.0")
        assert "detector 1 of lupine: here serial 'E2V-17'; in the package serial ''" in str(error)


def test_another_exposure_under_the_same_number_is_explained(open_new, package, tmp_path):
    from dataclasses import replace

    other = open_new("bare")
    record = replace(exposure(7), id=NIGHT * 1000 + 4)
    assert record
    rewrite(
        package,
        lambda is_, r: [r | {"object_name": "M 33"} if is_ == "exposure" and r["id"] == NIGHT * 1000 + 4 else r],
    )
    refused(other, package, "exposure 20260301004 of lupine: here object_name ''; in the package object_name 'M 33'")


def test_a_frozen_run_takes_nothing_more(site, package):
    site.freeze("night/1", reason="published")
    error = refused(site, package, "its run night/1 is frozen")
    assert "export a run of another name" in error.fix


def test_a_quantum_that_was_made_otherwise_is_explained(site, package):
    rewrite(package, lambda is_, r: [r])
    site.import_package(package)
    rewrite(package, lambda is_, r: [r | {"content_key": "changed"} if is_ == "quantum" else r])
    refused(site, package, "3 of quantum.*\n.*here done with key")


def test_a_chain_that_searches_something_else_here_stays_and_is_told(site, package):
    site.register_collection("mine", "RUN")
    site.set_chain("search", ["mine"])
    answer = site.import_package(package)
    assert "chain search stays as it is here (mine); in the package it is calibs, best" in answer.render()
    assert json.dumps(answer.to_dict())
