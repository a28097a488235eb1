"""provenance, events, verify, replay and capsule as a user types them, and what they say when something is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from prov.model import ProvDocument

from tests.cli.conftest import NIGHT

RUN = f"night/{NIGHT}"


@pytest.fixture
def repo(finished: Path, tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    shutil.copytree(finished, root)
    return root


def one(isrflow, repo: Path, where: str) -> str:
    return str(isrflow("query", "datasets", where, "--limit", 1, "--repo", repo, "--json").json[0]["id"])[:8]


def test_provenance_is_told_in_three_forms(isrflow, repo: Path) -> None:
    name = one(isrflow, repo, "type = 'post_isr'")
    told = isrflow("provenance", name, "--repo", repo).out
    assert "header: agrees with the registry" in told
    assert isrflow("provenance", name, "--repo", repo, "--json").json["header"]["agrees"] is True
    isrflow("provenance", name, "--repo", repo, "--format", "json", "-o", "p.json")
    assert json.loads(Path("p.json").read_text())["dataset"]["id"].startswith(name)
    of_product = isrflow("provenance", name, "--repo", repo, "--format", "prov-json").out
    assert ProvDocument.deserialize(content=of_product, format="json").get_records()
    assert "entities" in isrflow("provenance", RUN, "--repo", repo, "--format", "prov-json", "-o", "run.json").err
    assert ProvDocument.deserialize("run.json", format="json").get_records()


def test_events_are_listed_newest_first_and_limited(isrflow, repo: Path) -> None:
    rows = isrflow("events", "--repo", repo, "--kind", "certify", "--json").json
    assert [row["event"] for row in rows] == sorted((row["event"] for row in rows), reverse=True)
    assert {row["kind"] for row in rows} == {"certify"}
    first = isrflow("events", "--repo", repo, "--as-of", 1).out.splitlines()
    assert len(first) == 2  # names of columns, and the first event
    assert "no events match" in isrflow("events", "--repo", repo, "--since", "2099-01-01").out
    assert "is not a time" in isrflow("events", "--repo", repo, "--since", "whenever", code=1).err


def test_verify_says_what_is_wrong_and_what_to_do_and_exits_with_2(isrflow, repo: Path) -> None:
    assert "all as registered" in isrflow("verify", "--full", "--repo", repo).out
    lost = next((repo / "datastore" / RUN).rglob("post_isr*.fits"))
    lost.unlink()
    (repo / "datastore" / "stray.txt").write_text("?")
    dry = isrflow("verify", "--dry-run", "--repo", repo, code=2).out
    assert "found 1 missing file, 1 orphan" in dry
    assert isrflow("query", "datasets", "status = 'MISSING'", "--repo", repo, "--json").json == []
    report = isrflow("verify", "--repo", repo, "--json", code=2).json
    assert report["counts"] == {"missing file": 1, "orphan": 1}
    assert all(finding["fix"] and finding["where"] for finding in report["findings"])
    assert len(isrflow("query", "datasets", "status = 'MISSING'", "--repo", repo, "--json").json) == 1
    assert (repo / "datastore" / "stray.txt").exists()


def test_verify_of_a_choice_says_again_what_is_known_to_be_missing_and_refuses_an_empty_choice(
    isrflow, repo: Path
) -> None:
    next((repo / "datastore" / RUN).rglob("post_isr*.fits")).unlink()
    isrflow("verify", "--repo", repo, code=2)  # marked missing from now on
    told = isrflow("verify", "--where", f"run = '{RUN}'", "--repo", repo, code=2).out
    assert "looked at" in told
    assert "found 1 missing file" in told
    nothing = isrflow("verify", "--where", "run = 'no/such'", "--repo", repo, code=1).err
    assert "no datasets with a file match; nothing was verified" in nothing
    assert "\n    runn = 'x'\n    ^" in isrflow("verify", "--where", "runn = 'x'", "--repo", repo, code=1).err


def test_replay_takes_ids_or_a_choice_and_refuses_anything_else(isrflow, repo: Path) -> None:
    name = one(isrflow, repo, "type = 'post_isr'")
    assert isrflow("replay", name, "--repo", repo).out.startswith("reproduced: post_isr")
    sampled = isrflow("replay", "--sample", 2, "--run", RUN, "--seed", 1, "--repo", repo, "--json").json
    assert (sampled["rate"], sampled["of_quanta"]) == (1.0, 6)
    assert "say what to replay" in isrflow("replay", "--repo", repo, code=1).err
    assert "say what to replay" in isrflow("replay", name, "--sample", 2, "--repo", repo, code=1).err
    raw = one(isrflow, repo, "type = 'raw'")
    assert "made by no quantum" in isrflow("replay", raw, "--repo", repo, code=1).err
    assert (
        "no quantum of night 20200101 is done" in isrflow("replay", "--night", "20200101", "--repo", repo, code=1).err
    )
    bias = next((repo / "datastore" / "imported").rglob("bias_*.fits"))
    bias.unlink()
    told = isrflow("replay", "--run", RUN, "--repo", repo, code=2).out
    assert "impossible: post_isr" in told
    assert "reproduced" in told.splitlines()[-1]


def test_a_capsule_is_written_and_replayed_where_no_repository_is(isrflow, repo: Path) -> None:
    name = one(isrflow, repo, "type = 'post_isr'")
    assert "isrflow replay p.crate.zip" in isrflow("capsule", name, "-o", "p.crate.zip", "--repo", repo).out
    assert "p.crate.zip exists" in isrflow("capsule", name, "-o", "p.crate.zip", "--repo", repo, code=1).err
    shutil.rmtree(repo)
    assert isrflow("replay", "p.crate.zip").out.startswith("reproduced: post_isr")
    Path("bad.zip").write_bytes(Path("p.crate.zip").read_bytes()[:-100])
    assert "is not a capsule" in isrflow("replay", "bad.zip", code=1).err
