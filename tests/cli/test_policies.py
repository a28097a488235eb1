"""Policies and contexts, as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    from flows.repo import create_repo

    create_repo(tmp_path / "repo", "tiny").close()
    return tmp_path / "repo"


def test_policies_are_set_and_listed_now_and_as_of_then(isrflow, repo: Path) -> None:
    there = ("--repo", repo)
    told = isrflow("policy", "set", "flat", "nearest", "--max-gap", "1w", "--reason", "clouds", *there).out
    assert told.startswith("where flat is missing: nearest within 7 d (event ")
    again = isrflow("policy", "set", "flat", "nearest", "--max-gap", "7d", "--reason", "clouds", *there).out
    assert again.endswith("as it was already\n")
    rows = {row["type"]: row for row in isrflow("policy", "list", "--json", *there).json}
    assert (rows["flat"]["policy"], rows["bias"]["policy"]) == ("nearest within 7 d", "error")
    then = {row["type"]: row for row in isrflow("policy", "list", "--as-of", "1", "--json", *there).json}
    assert then["flat"]["policy"] == "error"
    wrong = isrflow("policy", "set", "flat", "nearest", "--reason", "x", *there, code=1)
    assert "nearest needs --max-gap" in wrong.err
    assert "isrflow policy set flat nearest --max-gap 7d" in wrong.err


def test_contexts_are_frozen_listed_and_shown(isrflow, repo: Path) -> None:
    there = ("--repo", repo)
    assert "no context was frozen yet" in isrflow("context", "list", *there).out
    made = isrflow("context", "freeze", "dr1", "--doc", "first", "--json", *there).json
    assert made["collections"] == [{"name": "calibs", "kind": "CALIBRATION"}]
    assert isrflow("context", "show", "dr1", "--json", *there).json == made
    assert [row["name"] for row in isrflow("context", "list", "--json", *there).json] == ["dr1"]
    assert f"sha256 {made['sha256']}" in isrflow("context", "show", "dr1", *there).out
    assert "did you mean 'dr1'?" in isrflow("context", "show", "dr2", *there, code=1).err


def test_modes_and_certifications_refuse_in_words(isrflow, repo: Path) -> None:
    there = ("--repo", repo)
    assert "say why" in isrflow("calibs", "match-mode", "bias", *there, code=1).err
    assert (
        "bias: matched by readout mode" in isrflow("calibs", "match-mode", "bias", "--reason", "two speeds", *there).out
    )
    assert "explain takes an exposure" in isrflow("explain", "5", *there, code=1).err
    assert "say what shall be certified" in isrflow("explain", "certify", *there, code=1).err
    assert "that is in the future" in isrflow("calibs", "list", "--as-of", "2100-01-01", *there, code=1).err
