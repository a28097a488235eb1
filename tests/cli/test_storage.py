"""Making room as a user does it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def repo(finished: Path, tmp_path: Path) -> Path:
    """A repository of one's own to delete from."""
    return Path(shutil.copytree(finished, tmp_path / "repo"))


def test_what_is_needed_is_refused_with_every_reason_and_the_command_that_removes_it(isrflow, repo: Path) -> None:
    bias = isrflow("query", "datasets", "type = 'bias'", "--repo", repo, "--json").json[0]["id"][:8]
    shown = isrflow("delete", bias, "--repo", repo, "--reason", "room", "--yes", code=1)
    assert "1 of 1 dataset(s) are needed; nothing was deleted" in shown.err
    assert "certified in calibs" in shown.err
    assert "product(s) that were made of it are there" in shown.err
    assert f"isrflow calibs decertify {bias} --collection calibs" in shown.err


def test_products_go_only_with_yes_and_can_be_made_again(isrflow, repo: Path) -> None:
    asked = ("delete", "--run", "night/20260301", "--repo", repo, "--reason", "room")
    assert "nothing was done; to do it, add --yes" in isrflow(*asked).out
    foreseen = isrflow(*asked, "--dry-run", "--json").json
    done = isrflow(*asked, "--yes", "--json").json
    assert (foreseen.pop("dry_run"), done.pop("dry_run")) == (True, False)
    assert foreseen == done
    first = done["deleted"][0]
    assert "it is PURGED, deleted by" in isrflow("get", first["id"], "-o", "x.fits", "--repo", repo, code=1).err
    assert "no dataset fits; nothing was deleted" in isrflow(*asked, code=1).err
    assert isrflow("verify", "--repo", repo).code == 0


def test_a_condition_chooses_and_something_must_be_named(isrflow, repo: Path) -> None:
    where = "type = 'post_isr' and exposure.seq_num > 0"
    asked = ("delete", "--where", where, "--repo", repo, "--reason", "room", "--json")
    assert {item["type"] for item in isrflow(*asked).json["deleted"]} == {"post_isr"}
    assert "nothing is named" in isrflow("delete", "--repo", repo, "--reason", "room", code=1).err
    assert "wants a reason" in isrflow("delete", "--where", where, "--repo", repo, "--reason", " ", code=1).err


def test_litter_is_foreseen_set_aside_and_removed(isrflow, repo: Path) -> None:
    (repo / "datastore" / "litter.txt").write_text("litter")
    assert "1 file(s) without a dataset are not old enough" in isrflow("gc", "--repo", repo).out
    asked = ("gc", "--repo", repo, "--older-than", 0)
    assert "1 orphan (no dataset has it), 6 bytes: would be set aside" in isrflow(*asked, "--dry-run").out
    assert (repo / "datastore" / "litter.txt").exists()
    assert isrflow(*asked, "--json").json["items"][0]["action"] == "set aside"
    assert (repo / "datastore/.quarantine/litter.txt").exists()
    assert "6 bytes freed" in isrflow(*asked, "--quarantined").out
    assert isrflow("verify", "--full", "--repo", repo).code == 0
