"""Calibrations from raws to a night, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def repo(raws: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from flows.ingest import ingest_paths
    from flows.repo import create_repo

    root = tmp_path_factory.mktemp("calibs") / "repo"
    with create_repo(root, "tiny") as made:
        ingest_paths(made, [raws / "raw"])
    return root


def test_build_certify_night_report_is_all_it_takes(isrflow, repo: Path) -> None:
    there = ("--repo", repo)
    built = isrflow(
        "calibs",
        "build",
        "bias",
        "dark",
        "flat",
        "defects",
        "--night",
        20260301,
        "--engine",
        "direct",
        "--workers",
        1,
        *there,
    )
    assert "10 of 10 done" in built.out  # two detectors: bias, dark, two flats, defects each
    certify = next(line.strip() for line in built.out.splitlines() if line.strip().startswith("isrflow calibs certify"))
    isrflow(*certify.split()[1:], *there)
    listed = isrflow("calibs", "list", *there, "--json").json
    assert sorted({row["type"] for row in listed}) == ["bias", "camera", "dark", "defects", "flat"]
    night = isrflow("night", "last", "--engine", "direct", "--workers", 1, *there)
    assert "8 of 8 done" in night.out
    report = isrflow("report", "last", *there).out.removeprefix("report: ").strip()
    assert "All 8 raws were corrected" in Path(report).read_text()
    assert "isrflow report 20260301" in isrflow("status", *there).out


def test_an_unknown_type_names_the_nearest_and_a_night_without_raws_is_named(isrflow, repo: Path) -> None:
    options = ("--night", 20260301, "--repo", repo)
    assert "did you mean 'bias'" in isrflow("calibs", "build", "bais", *options, code=1).err
    assert "19990101" in isrflow("calibs", "build", "bias", "--night", 19990101, "--repo", repo, code=1).err
