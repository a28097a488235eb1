"""A capsule is made again with nothing but itself; what was done to it on the way is found first."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from io import BytesIO

import pytest
from prov.model import ProvDocument

from flows.calibrate import build_calibs
from flows.capsule import write_capsule
from flows.capsule_replay import replay_capsule
from flows.repo import open_repo
from registry.errors import CorruptDataset, MissingDataset, UserError
from tests.flows.conftest import NIGHT

RUN = f"night/{NIGHT}"


@pytest.fixture(scope="module")
def packed(tmp_path_factory, night_dir):
    """The capsule of a product."""
    path = tmp_path_factory.mktemp("capsule") / "product.crate.zip"
    with open_repo(night_dir, read_only=True) as repo:
        written = write_capsule(repo, product(repo), path)
    assert written.path == path
    return path


@pytest.fixture
def repo(a_copy, night_dir):
    with open_repo(a_copy(night_dir)) as opened:
        yield opened


def product(repo, kind="post_isr"):
    return repo.butler.datasets("detector = 0", type=kind, collections=[RUN])[0]


def contents(path):
    with zipfile.ZipFile(path) as crate:
        return {info.filename: crate.read(info) for info in crate.infolist()}


def repacked(path, files, **entries):
    """Write a zip of other contents; `entries` gives zip entries by name instead of plain names."""
    with zipfile.ZipFile(path, "w") as crate:
        for name, data in files.items():
            crate.writestr(entries.get(name, name), data)
    return path


def test_a_capsule_is_made_again_without_any_repository(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = replay_capsule(packed)
    assert report.exit_code == 0
    assert report.results[0].verdict == "reproduced"
    assert report.results[0].remarks == ()
    assert list(tmp_path.iterdir()) == []


def test_masters_and_statistics_can_be_packed_too(repo, tmp_path):
    assert build_calibs(repo, ["bias"], NIGHT, engine="direct").exit_code == 0
    master = repo.butler.datasets("detector = 0", type="bias", collections=[f"calibs/{NIGHT}"])[0]
    for number, ref in enumerate((master, product(repo, "isr_statistics"))):
        path = tmp_path / f"{number}.zip"
        write_capsule(repo, ref, path)
        assert replay_capsule(path).results[0].verdict == "reproduced"


def test_the_same_product_gives_the_same_bytes(repo, packed, tmp_path):
    again = write_capsule(repo, product(repo), tmp_path / "again.zip")
    assert again.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_it_is_an_ro_crate_that_describes_every_file(packed):
    files = contents(packed)
    crate = json.loads(files["ro-crate-metadata.json"])
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = {one["@id"]: one for one in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    descriptor = graph["ro-crate-metadata.json"]
    assert (descriptor["@type"], descriptor["about"]) == ("CreativeWork", {"@id": "./"})
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = graph["./"]
    assert root["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= set(root)
    parts = {part["@id"] for part in root["hasPart"]}
    assert parts == set(files) - {"ro-crate-metadata.json"}
    for name in parts:
        assert graph[name]["@type"] == "File"
        assert graph[name]["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert graph[name]["contentSize"] == str(len(files[name]))
    (action,) = [one for one in crate["@graph"] if one["@type"] == "CreateAction"]
    assert action["result"] == [root["mainEntity"]]
    assert graph[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    assert {one["@id"].split("/")[1] for one in action["object"] if one["@id"].startswith("inputs/")} == {
        *("raw", "camera", "bias", "dark", "flat", "defects", "linearizer")
    }
    # nothing is referred to that is not described
    for one in crate["@graph"]:
        for value in one.values():
            for reference in value if isinstance(value, list) else [value]:
                if isinstance(reference, dict) and set(reference) == {"@id"} and one is not descriptor:
                    assert reference["@id"] in graph


def test_its_provenance_is_read_by_the_prov_package(packed):
    files = contents(packed)
    document = ProvDocument.deserialize(content=files["provenance.prov.json"].decode(), format="json")
    product_id = json.loads(files["quantum.json"])["product"]["id"]
    assert f"urn:uuid:{product_id}" in {record.identifier.uri for record in document.get_records() if record.identifier}


def test_a_flipped_bit_is_found_before_anything_is_done(packed, tmp_path):
    files = contents(packed)
    name = next(name for name in files if name.startswith("inputs/bias/"))
    data = bytearray(files[name])
    data[-4000] ^= 1
    bad = repacked(tmp_path / "bad.zip", files | {name: bytes(data)})
    with pytest.raises(CorruptDataset, match=f"{name} was changed"):
        replay_capsule(bad)


def test_all_that_is_gone_or_cut_is_listed(packed, tmp_path):
    files = contents(packed)
    bias, dark = (next(name for name in files if name.startswith(f"inputs/{kind}/")) for kind in ("bias", "dark"))
    files[dark] = files[dark][:-1]
    del files[bias]
    with pytest.raises(CorruptDataset, match=r"(?s)bias.* is gone.*dark.* bytes instead of|dark.*bias"):
        replay_capsule(repacked(tmp_path / "bad.zip", files))


def test_an_input_exchanged_with_its_hash_is_found_by_what_the_registry_knew(packed, tmp_path):
    files = contents(packed)
    name = next(name for name in files if name.startswith("inputs/bias/"))
    other = files[next(name for name in files if name.startswith("inputs/dark/"))]
    manifest = json.loads(files["quantum.json"])
    manifest["files"][name] = {"size": len(other), "sha256": hashlib.sha256(other).hexdigest()}
    files |= {name: other, "quantum.json": json.dumps(manifest).encode()}
    with pytest.raises(CorruptDataset, match="the registry knew another SHA-256"):
        replay_capsule(repacked(tmp_path / "bad.zip", files))


def test_another_configuration_is_found_by_its_hash(packed, tmp_path):
    files = contents(packed)
    manifest = json.loads(files["quantum.json"])
    manifest["config"]["settings"]["dark"]["enabled"] = False
    with pytest.raises(CorruptDataset, match=r"the config in quantum\.json was changed"):
        replay_capsule(repacked(tmp_path / "bad.zip", files | {"quantum.json": json.dumps(manifest).encode()}))


def test_a_configuration_changed_with_its_hash_differs_and_the_header_tells(packed, tmp_path):
    from registry.canonical import sha256_json

    files = contents(packed)
    manifest = json.loads(files["quantum.json"])
    manifest["config"]["settings"]["dark"]["enabled"] = False
    manifest["config_sha256"] = sha256_json(manifest["config"])
    files["quantum.json"] = json.dumps(manifest).encode()
    (result,) = replay_capsule(repacked(tmp_path / "bad.zip", files)).results
    assert result.verdict == "differs"
    image = next(difference for difference in result.differences if difference.where == "IMAGE")
    assert image.n_pixels > 100
    assert any("the product's header says ISRFLOW CONFIG" in remark for remark in result.remarks)


@pytest.mark.parametrize(
    "name", ["../outside.fits", "/tmp/outside.fits", "a/../../b", "c:\\windows", "a\\b", "./x", "C:x"]
)
def test_names_that_lead_elsewhere_are_refused(packed, tmp_path, name):
    files = contents(packed) | {name: b"evil"}
    with pytest.raises(UserError, match="is not a plain relative path"):
        replay_capsule(repacked(tmp_path / "bad.zip", files))


def test_links_folders_doubles_and_strangers_are_refused(packed, tmp_path):
    files = contents(packed)
    link = zipfile.ZipInfo("inputs/link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(UserError, match="'inputs/link' is not a plain file"):
        replay_capsule(repacked(tmp_path / "1.zip", files | {"inputs/link": b"/etc/passwd"}, **{"inputs/link": link}))
    with pytest.raises(UserError, match=r"'README.TXT' is there twice"):
        replay_capsule(repacked(tmp_path / "2.zip", files | {"README.TXT": b""}))
    with pytest.raises(UserError, match=r"does not declare, or declares too few: extra.txt"):
        replay_capsule(repacked(tmp_path / "3.zip", files | {"extra.txt": b""}))


def test_what_is_no_capsule_is_said_to_be_none(packed, tmp_path):
    (tmp_path / "no.zip").write_bytes(b"not a zip")
    with pytest.raises(UserError, match="is not a capsule"):
        replay_capsule(tmp_path / "no.zip")
    with pytest.raises(UserError, match=r"has no quantum.json and no ro-crate-metadata.json"):
        replay_capsule(repacked(tmp_path / "empty.zip", {"x": b""}))
    with pytest.raises(UserError, match="cannot be read"):
        replay_capsule(tmp_path / "absent.zip")
    old = contents(packed)
    old["quantum.json"] = old["quantum.json"].replace(b"isrflow capsule 1", b"isrflow capsule 9")
    with pytest.raises(UserError, match="is not of the format 'isrflow capsule 1' but 'isrflow capsule 9'"):
        replay_capsule(repacked(tmp_path / "old.zip", old))
    old["quantum.json"] = b'{"format": "isrflow capsule 1"}'
    with pytest.raises(UserError, match="lacks something"):
        replay_capsule(repacked(tmp_path / "half.zip", old))
    old["quantum.json"] = BytesIO(packed.read_bytes()).read(100)
    with pytest.raises(UserError, match=r"quantum.json cannot be read"):
        replay_capsule(repacked(tmp_path / "noise.zip", old))


def test_nothing_is_packed_of_files_that_are_gone_or_changed(repo, tmp_path):
    ref = product(repo)
    inputs = repo.butler.provenance(ref).inputs
    repo.butler.path(inputs.calibs["flat"]).unlink()
    bias = repo.butler.path(inputs.calibs["bias"])
    bias.chmod(0o644)
    data = bytearray(bias.read_bytes())
    data[-1] ^= 1
    bias.write_bytes(data)
    with pytest.raises(CorruptDataset, match=r"(?s)bias.*was changed|flat.*is gone") as caught:
        write_capsule(repo, ref, tmp_path / "x.zip")
    assert "flat" in str(caught.value)
    assert "bias" in str(caught.value)
    assert list(tmp_path.glob("*.zip*")) == []


def test_a_file_that_is_there_is_not_overwritten_unless_told(repo, tmp_path):
    path = tmp_path / "x.zip"
    path.write_text("precious")
    with pytest.raises(UserError, match="exists"):
        write_capsule(repo, product(repo), path)
    assert path.read_text() == "precious"
    assert write_capsule(repo, product(repo), path, overwrite=True).n_files > 8


def test_raws_have_no_capsule(repo, tmp_path):
    with pytest.raises(MissingDataset, match="made by no quantum"):
        write_capsule(repo, repo.butler.datasets("", type="raw")[0], tmp_path / "x.zip")
