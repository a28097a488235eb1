"""Flags, corrected headers and collections, as a user types them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

SCIENCE = "obs_type = 'science'"


@pytest.fixture
def repo(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repo"
    shutil.copytree(finished, root)
    monkeypatch.setenv("ISRFLOW_EXECUTOR", "inline")
    return root


@pytest.fixture
def here(isrflow, repo: Path):
    def typed(*words: object, code: int = 0):
        return isrflow(*words, "--repo", repo, code=code)

    return typed


@pytest.fixture
def first(here) -> int:
    return here("query", "exposures", SCIENCE, "--order-by", "exposure", "--json").json[0]["exposure"]


def test_a_flag_is_set_listed_asked_for_and_cleared(here, first) -> None:
    dry = here("flag", "set", "bad", first, "--detector", "B", "--reason", "light leak", "--dry-run")
    assert dry.out.startswith(f"would be flagged bad: exposure {first} detector 1")
    done = here("flag", "set", "bad", first, "--detector", "B", "--reason", "light leak", "--json").json
    assert done["changed"] == [{"instrument": "tiny", "exposure": first, "detector": 1}]
    assert {"run": "night/20260301", "type": "post_isr", "number": 1, "is_calibration": False} in done["made_before"]
    (row,) = here("flag", "list", "--json").json
    assert (row["exposure"], row["detector"], row["flag"], row["reason"]) == (first, 1, "bad", "light leak")
    assert here("flag", "list", "--as-of", done["event"] - 1).out == "no flags\n"
    assert (
        f"nothing to do for exposure {first} detector 1"
        in here(*("flag", "set", "bad", "--where", f"exposure = {first} and detector = 1", "--reason", "again")).out
    )
    found = here("query", "datasets", "type = 'raw' and flag = 'bad'", "--json").json
    assert [(row["exposure"], row["detector"]) for row in found] == [(first, 1)]
    plan = here("night", 20260301, "--dry-run", "--json", code=2).json
    assert f"left out: exposure {first} detector 1: flagged bad by" in plan["noted"]
    assert "1 bad" in here("status").out
    here("flag", "clear", "bad", first, "--detector", 1, "--reason", "another exposure")
    assert here("flag", "list").out == "no flags\n"
    assert len(here("flag", "list", "--history", "--json").json) == 1


def test_what_cannot_be_flagged_is_refused_with_the_reason(here, first) -> None:
    assert "has no exposure 77" in here("flag", "set", "bad", 77, "--reason", "x", code=1).err
    assert (
        "did you mean 'detector'" in here("flag", "set", "bad", "--where", "detectr = 1", "--reason", "x", code=1).err
    )
    assert "one of both" in here("flag", "set", "bad", "--reason", "x", code=1).err
    assert "wants a reason" in here("flag", "set", "bad", first, "--reason", "", code=1).err
    assert "no detector 'Z'" in here("flag", "set", "bad", first, "--detector", "Z", "--reason", "x", code=1).err
    here("flag", "set", "bad", first, "--reason", "x")
    one = here("flag", "clear", "bad", first, "--detector", "A", "--reason", "x", code=1)
    assert "flagged on all detectors, so one cannot be cleared" in one.err


def test_a_header_is_corrected_listed_and_restored(here, first) -> None:
    says = ("header", "correct", "EXPTIME", "33.5", "--exposure", first, "--reason", "shutter log")
    dry = here(*says, "--dry-run").out
    assert f"exposure {first} detector 0: EXPTIME 30.0 -> 33.5" in dry
    assert "exposure_time_s 30.0 -> 33.5" in dry
    done = here(*says, "--json").json
    assert done["exposures"] == [{"exposure": first, "property": "exposure_time_s", "old": 30.0, "new": 33.5}]
    assert {"run": "night/20260301", "type": "post_isr", "number": 2, "is_calibration": False} in done["made_before"]
    (row,) = here("query", "exposures", f"exposure = {first}", "--json").json
    assert row["exposure_time"] == 33.5
    assert "\tEXPTIME\t33.5\t" in here("header", "list").out
    (card,) = here("header", "list", "exptime", "--json").json
    assert (card["keyword"], card["value"], card["is_taken_away"]) == ("EXPTIME", 33.5, False)
    assert "header of raw corrected otherwise (EXPTIME)" in here("night", 20260301, "--engine", "direct", code=1).err
    here("header", "restore", "EXPTIME", "--exposure", first, "--reason", "it was right")
    assert here("header", "list").out == "no header is corrected\n"
    (then,) = here("header", "list", "--as-of", done["event"], "--json").json
    assert (then["value"], then["removed_at"]) == (33.5, done["event"] + 1)


def test_values_are_read_as_in_headers_or_as_the_user_insists(here, first) -> None:
    def said(*words: object):
        return here("header", "correct", *words, "--exposure", first, "--reason", "x", "--dry-run", "--json").json

    assert said("SPEED", "30")["cards"][0]["new"] == 30
    assert said("SPEED", "3e1")["cards"][0]["new"] == 30.0
    assert said("SPEED", "T")["cards"][0]["new"] is True
    assert said("SPEED", "'30'")["cards"][0]["new"] == "30"
    assert said("SPEED", "30", "--type", "text")["cards"][0]["new"] == "30"
    assert said("OBSERVER", "Ada L.")["cards"][0]["new"] == "Ada L."
    assert said("INSTRUME", "TINY")["cards"][0]["old"] == "TINY"


def test_impossible_corrections_are_refused_on_the_command_line(here, first) -> None:
    there = ("--exposure", first, "--reason", "x")
    assert "it has g_01, r_01" in here("header", "correct", "FILTER", "z", *there, code=1).err
    assert "one of both" in here("header", "correct", "FILTER", *there, code=1).err
    assert "one of both" in here("header", "correct", "FILTER", "z", "--delete", *there, code=1).err
    assert "'x' is not of kind int" in here("header", "correct", "A", "x", "--type", "int", *there, code=1).err
    refused = here("header", "correct", "FILTER", "z", *there, "--json", code=1).json
    assert "nothing was changed" in str(refused)


def test_collections_are_chained_tagged_frozen_and_listed(here, first) -> None:
    made = here("collections", "chain", "best", "imported/bias", "imported/dark", "--json").json
    assert (made["was"], made["children"]) == ([], ["imported/bias", "imported/dark"])
    here("collections", "chain", "best", "imported/flat", "--prepend", "--reason", "new lamp")
    assert "nothing changed" in here("collections", "chain", "best", "imported/flat", "--prepend").out
    assert (
        "best -> around -> best"
        in here("collections", "chain", "around", "best").out
        + here("collections", "chain", "best", "around", "--append", code=1).err
    )
    where = f"run = 'night/20260301' and type = 'post_isr' and exposure = {first}"
    assert here("collections", "tag", "paper", "--where", where).out == "2 tagged in paper, 0 were there already\n"
    assert here("collections", "untag", "paper", "--where", f"{where} and detector = 0").out.startswith("1 taken out")
    here("collections", "freeze", "night/20260301", "--reason", "cited")
    assert "already" in here("collections", "freeze", "night/20260301", "--reason", "cited").out
    rows = {row["name"]: row for row in here("collections", "list", "--members", "--json").json}
    assert rows["best"]["children"] == ["imported/flat", "imported/bias", "imported/dark"]
    assert rows["paper"]["members"] == {"post_isr": 1}
    assert rows["night/20260301"]["frozen"] is True
    for words in (("tag", "x/../z", "--where", where), ("chain", "a//b", "best")):
        assert "cannot name a collection" in here("collections", *words, code=1).err


def test_work_into_a_frozen_run_is_refused_with_the_next_command(here) -> None:
    here("collections", "freeze", "night/20260301", "--reason", "cited")
    assert here("night", 20260301, "--where", "detector = 0", "--engine", "direct").code == 0  # it is done, all of it
    refused = here("reprocess", "obs_type = 'bias'", "--out", "night/20260301", "--engine", "direct", code=1)
    assert "collection night/20260301 is frozen" in refused.err
    assert "isrflow reprocess WHERE --out RUN" in refused.err


def test_an_exposure_that_is_not_there_is_refused_with_where_to_look(here) -> None:
    refused = here("flag", "set", "bad", 1, "--reason", "haze", code=1).err
    assert "instrument tiny has no exposure 1" in refused
    assert "try: isrflow query exposures" in refused


def test_a_corrected_value_is_listed_as_a_card_says_it(here, first) -> None:
    for keyword, value, *option in (("EXPTIME", "33.0"), ("NOTED", "33"), ("CHECKED", "T")):
        here("header", "correct", keyword, value, "--exposure", first, "--reason", "log", *option)
    rows = [line.split("\t") for line in here("header", "list").out.splitlines()[1:]]
    assert {row[2]: row[3] for row in rows} == {"EXPTIME": "33.0", "NOTED": "33", "CHECKED": "T"}


def test_a_selection_of_two_products_of_one_exposure_says_to_choose_one(here) -> None:
    here("reprocess", "obs_type = 'science' and detector = 0", "--out", "redo/1", "--engine", "direct")
    refused = here("collections", "tag", "paper", "--where", "type = 'post_isr'", code=1).err
    assert "collection paper cannot hold several datasets of the same type and data id" in refused
    assert "choose one of each" in refused
    here("collections", "tag", "paper", "--where", "type = 'post_isr' and run = 'redo/1'")
