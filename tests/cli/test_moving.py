"""Queries in every format, page by page; packages there and back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from astropy.table import Table


def test_answers_come_in_every_format(isrflow, finished: Path) -> None:
    asked = ("query", "exposures", "obs_type = 'science'", "--repo", finished)
    rows = isrflow(*asked, "--json").json
    told = list(csv.DictReader(io.StringIO(isrflow(*asked, "--format", "csv").out)))
    assert [row["exposure"] for row in told] == [str(row["exposure"]) for row in rows]
    table = Table.read(isrflow(*asked, "--format", "ecsv").out, format="ascii.ecsv")
    assert list(table["exposure"]) == [row["exposure"] for row in rows]
    assert str(table["exposure_time"].unit) == "s"
    assert json.loads(isrflow(*asked, "--format", "json").out) == rows


def test_pages_follow_each_other(isrflow, finished: Path) -> None:
    asked = ("query", "exposures", "--repo", finished, "--order", "-exposure", "--limit", 4, "--json", "--page")
    found, page = [], "first"
    while page:
        answer = isrflow(*asked, page).json
        found, page = [*found, *answer["rows"]], answer["next_page"]
    everything = isrflow("query", "exposures", "--repo", finished, "--order", "-exposure", "--json").json
    assert found == everything
    shown = isrflow("query", "exposures", "--limit", 1, "--repo", finished)
    assert "there are more; go on with the same query and --page" in shown.err


def test_values_are_bound_and_empty_answers_explained(isrflow, finished: Path) -> None:
    asked = ("query", "exposures", "obs_type = :kind and seq_num > :n", "--repo", finished)
    assert isrflow(*asked, "--bind", "kind=science", "--bind", "n=0", "--json").json
    shown = isrflow(*asked, "--bind", "kind=scence", "--bind", "n=0")
    assert "nothing has obs_type = :kind; did you mean 'science'?" in shown.out
    told = isrflow(*asked, "--bind", "kind=scence", "--bind", "n=0", "--json")
    assert (told.json, "did you mean" in told.err) == ([], True)
    assert isrflow(*asked, "--bind", "kind=bias", "--bind", "n=0", "--explain", "--json").json["matches"]
    assert "does not name a value" in isrflow(*asked, "--bind", "kind", code=1).err


def test_a_package_becomes_a_repository(isrflow, finished: Path, tmp_path: Path) -> None:
    package = tmp_path / "night.zip"
    asked = ("--where", "type = 'post_isr'", "--calibs", "--provenance", "--repo", finished)
    exported = isrflow("export", package, *asked, "--json").json
    assert exported["counts"]["quantum"] > 0
    made = isrflow("import", package, "--into", tmp_path / "new", "--json").json
    assert made["new"]["dataset"] == exported["counts"]["dataset"]
    assert "all of it is here already" in isrflow("import", package, "--repo", tmp_path / "new").out
    assert "all of it is here already" in isrflow("import", package, "--repo", finished, "--dry-run").out
    (row, *_) = isrflow("query", "datasets", "type = 'post_isr'", "--repo", tmp_path / "new", "--json").json
    assert "bias" in isrflow("lineage", row["id"], "--repo", tmp_path / "new").out
    assert "reproduced: post_isr" in isrflow("replay", row["id"], "--repo", tmp_path / "new").out
    assert "header: agrees with the registry" in isrflow("provenance", row["id"], "--repo", tmp_path / "new").out
    assert "is not empty" in isrflow("import", package, "--into", tmp_path / "new", code=1).err
    assert (
        "no datasets match"
        in isrflow("export", tmp_path / "x", "--where", "type = 'no'", "--repo", finished, code=1).err
    )
