"""A product says in its header what the registry says of it; a disagreement is found."""

from __future__ import annotations

import json

import pytest
from astropy.io import fits

from flows.calibrate import build_calibs
from flows.night import run_night
from flows.provenance import provenance_of
from flows.replay import replay_datasets
from flows.repo import open_repo
from isrflow.quantum.environment import THREADS, differences, environment
from registry.errors import MissingDataset
from tests.flows.conftest import CALIBS, NIGHT

RUN = f"night/{NIGHT}"


@pytest.fixture
def repo(a_copy, night_dir):
    with open_repo(a_copy(night_dir)) as opened:
        yield opened


def product(repo, kind="post_isr"):
    return repo.butler.datasets("detector = 0", type=kind, collections=[RUN])[0]


def test_the_header_holds_every_fact_and_agrees_with_the_registry(repo):
    ref = product(repo)
    found = provenance_of(repo, ref)
    assert (found.exit_code, found.header.disagreements, found.header.absent) == (0, {}, ())
    header = fits.getheader(repo.butler.path(ref))
    inputs = found.record.inputs
    assert header["ISRFLOW SOFTWARE"] == inputs.software_sha256
    assert header["ISRFLOW CALIBSET"] == inputs.calib_set_sha256
    for role in ("camera", *CALIBS):
        word = role.upper()
        assert header[f"ISRFLOW {word} ID"] == str(inputs.calibs[role].id)
        assert header[f"ISRFLOW {word} SHA256"] == inputs.calibs[role].sha256
        assert header[f"ISRFLOW {word} MATCH"] == "valid"


def test_the_software_says_all_that_can_change_a_pixel(repo):
    software = provenance_of(repo, product(repo)).record.inputs.software
    assert set(software) >= {"packages", "python", "platform", "cpu", "blas"}
    assert differences(software, environment()) == []
    changed = {**software, "packages": {**software["packages"], "numpy": "1.0"}}
    assert differences(changed, software) == [f"packages.numpy: 1.0 then, {software['packages']['numpy']} now"]


def test_attempts_come_with_their_memory_and_their_time(repo):
    (attempt,) = provenance_of(repo, product(repo)).record.attempts
    assert attempt.outcome == "done"
    assert attempt.peak_rss_bytes > 10_000_000
    assert attempt.cpu_s > 0
    assert " MB at most" in str(attempt)
    assert set(attempt.metrics["threads"]) <= set(THREADS)


def test_workers_say_how_many_threads_they_had(a_copy, ready_dir, monkeypatch):
    monkeypatch.delenv("ISRFLOW_EXECUTOR")
    with open_repo(a_copy(ready_dir)) as opened:
        first = opened.butler.datasets("obs_type = 'science' and detector = 0", type="raw")[0].data_id.exposure
        run_night(opened, NIGHT, engine="direct", workers=1, where=f"exposure = {first} and detector = 0")
        (attempt,) = provenance_of(opened, product(opened)).record.attempts
        assert attempt.metrics["threads"]["NUMBA_NUM_THREADS"] == "1"
        assert "NUMBA_NUM_THREADS 1" in str(attempt)
        assert provenance_of(opened, product(opened)).to_dict()["quantum"]["attempts"][0]["metrics"]["threads"]


def test_a_header_that_was_edited_is_found_card_by_card(repo):
    ref = product(repo)
    path = repo.butler.path(ref)
    path.chmod(0o644)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["ISRFLOW BIAS ID"] = "0" * 36
    found = provenance_of(repo, ref)
    assert found.exit_code == 2
    bias = str(found.record.inputs.calibs["bias"].id)
    assert found.header.disagreements == {"ISRFLOW BIAS ID": ("0" * 36, bias)}
    assert "header: DISAGREES with the registry" in found.render()
    assert f"the registry {bias}" in found.render()


def test_the_text_tells_who_when_and_why_and_json_tells_the_same(repo):
    ref = product(repo)
    replay_datasets(repo, [ref])
    found = provenance_of(repo, ref)
    text = found.render()
    for words in ("made by isr", "attempt 1 done", "valid [the beginning, forever) in calibs, certified by", "numpy"):
        assert words in text
    assert "header: agrees with the registry" in text
    assert "replayed 1 time(s), the last time: reproduced" in text
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["header"]["agrees"] is True
    assert plain["calibs"]["bias"]["match"] == "valid"
    assert plain["quantum"]["attempts"][0]["peak_rss_bytes"] > 0
    assert plain["replays"][0]["verdict"] == "reproduced"


def test_masters_and_products_without_a_header_are_told_too(repo):
    assert build_calibs(repo, ["bias"], NIGHT, engine="direct").exit_code == 0
    master = repo.butler.datasets("detector = 0", type="bias", collections=[f"calibs/{NIGHT}"])[0]
    assert provenance_of(repo, master).header.render() == "header: agrees with the registry"
    assert provenance_of(repo, product(repo, "isr_statistics")).header.render() == "header: none (not a FITS file)"


def test_a_product_whose_file_is_gone_still_has_its_provenance(repo):
    ref = product(repo)
    repo.butler.path(ref).unlink()
    found = provenance_of(repo, ref)
    assert found.exit_code == 2
    assert "is gone" in found.header.problem


def test_raws_have_none(repo):
    raw = repo.butler.datasets("", type="raw")[0]
    with pytest.raises(MissingDataset, match="made by no quantum"):
        provenance_of(repo, raw)
