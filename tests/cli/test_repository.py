from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from astropy.io import fits


def product(isrflow, repo: Path) -> str:
    rows = isrflow("query", "datasets", "type = 'post_isr'", "--limit", 1, "--repo", repo, "--json").json
    return str(rows[0]["id"])[:8]


def test_the_first_hour_names_the_next_command_at_every_turn(isrflow, raws: Path) -> None:
    assert "isrflow init repo --instrument" in isrflow("init", code=1).err
    assert "isrflow init" in isrflow("ingest", raws, code=4).err
    made = isrflow("init", "repo", "--instrument", "tiny")
    assert "isrflow ingest" in made.out
    assert "isrflow ingest" in isrflow("night", "last", "--repo", "repo", code=1).err
    assert "isrflow calibs build" in isrflow("ingest", raws / "raw", "--repo", "repo").out
    before = isrflow("night", "20260301", "--repo", "repo", code=3)
    assert "isrflow calibs build" in before.out
    assert "0 of 8 done, 8 skipped" in before.out
    assert "isrflow calibs certify" in isrflow("status", "--repo", "repo").out


def test_looking_needs_no_right_to_write(isrflow, finished: Path, tmp_path: Path) -> None:
    repo = tmp_path / "sealed"
    shutil.copytree(finished, repo)
    folders = [repo, *(path for path in repo.rglob("*") if path.is_dir())]
    name = product(isrflow, repo)
    for folder in folders:
        folder.chmod(0o555)
    try:
        if os.access(repo, os.W_OK):
            pytest.skip("this user may write everywhere")
        isrflow("status", "--repo", repo)
        isrflow("query", "quanta", "--repo", repo)
        isrflow("lineage", name, "--repo", repo)
        isrflow("get", name, "-o", "copy.fits", "--repo", repo)
        isrflow("calibs", "list", "--repo", repo)
        isrflow("report", "last", "-o", "night.html", "--repo", repo)
        isrflow("night", "last", "--dry-run", "--repo", repo, code=2)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_report_is_written_of_a_night_that_has_lost_a_product(isrflow, finished: Path, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    shutil.copytree(finished, repo)
    next(repo.glob("datastore/**/post_isr_*.fits")).unlink()
    isrflow("report", "last", "-o", "night.html", "--repo", repo)
    assert "the files of 1 of 6 products are gone" in (tmp_path / "night.html").read_text()


def test_a_repository_that_is_not_there_is_blamed_on_what_named_it(shell, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert "(ISRFLOW_REPO)" in shell("status", code=4, ISRFLOW_REPO=gone).err
    assert "(--repo)" in shell("status", "--repo", gone, code=4).err


def test_a_database_that_is_not_supported_is_refused(isrflow, tmp_path: Path) -> None:
    typed = isrflow("init", "repo", "--instrument", "tiny", "--db", "mysql://ada:geheim@host/db", code=1)
    assert "name a PostgreSQL database" in typed.err
    assert "geheim" not in typed.err
    assert not (tmp_path / "repo").exists()


def test_a_server_that_is_down_leaves_no_repository_behind(isrflow, tmp_path: Path) -> None:
    url = "postgresql://ada:geheim@localhost:1/db"
    typed = isrflow("init", "repo", "--instrument", "tiny", "--db", url, "--json", code=4)
    assert "no server listens there" in typed.err
    assert "geheim" not in typed.err + typed.out
    assert not (tmp_path / "repo").exists()


def test_a_second_init_in_the_same_place_is_refused(isrflow, finished: Path) -> None:
    assert "already" in isrflow("init", finished, "--instrument", "tiny", code=1).err


def test_an_unknown_instrument_lists_those_there_are(isrflow, tmp_path: Path) -> None:
    typed = isrflow("init", "repo", "--instrument", "tinny", code=1)
    assert "lupine" in typed.err
    assert not (tmp_path / "repo").exists()


def test_the_repository_is_found_from_below_and_by_the_environment(shell, finished: Path) -> None:
    shell.directory = finished / "datastore"
    assert shell("status", "--json").json["instrument"] == "tiny"
    shell.directory = Path("/")
    assert shell("status", "--json", ISRFLOW_REPO=str(finished)).json["instrument"] == "tiny"


def test_ingest_again_takes_nothing_and_a_foreign_file_is_refused_with_its_reason(
    isrflow, finished: Path, raws: Path, tmp_path: Path
) -> None:
    again = isrflow("ingest", raws / "raw", "--repo", finished, "--json").json
    assert again["n_ingested"] == 0
    (tmp_path / "note.fits").write_text("not a FITS file")
    typed = isrflow("ingest", "note.fits", "--repo", finished, code=1)
    assert "note.fits" in typed.err


def test_a_partial_night_exits_with_two_and_is_not_done_twice(isrflow, finished: Path) -> None:
    report = isrflow("night", "last", "--engine", "direct", "--workers", 1, "--repo", finished, "--json", code=2).json
    assert (report["n_done"], report["n_already_done"], report["n_skipped"], report["n_failed"]) == (6, 6, 2, 0)
    assert report["engine"] == "direct"


def test_the_engine_is_told_in_one_line(isrflow, finished: Path) -> None:
    typed = isrflow("night", "last", "--repo", finished, code=2)
    assert typed.err.splitlines() == ["engine direct: no Prefect server is configured or was started with `isrflow up`"]


def test_a_dry_run_plans_and_changes_nothing(isrflow, finished: Path) -> None:
    before = isrflow("status", "--repo", finished, "--json").json["counts"]
    plan = isrflow(
        "reprocess",
        "day_obs = 20260301 and obs_type = 'science'",
        "--out",
        "try/1",
        "--dry-run",
        "--repo",
        finished,
        "--json",
        code=2,
    ).json
    assert plan["n_ready"] == 6
    assert isrflow("status", "--repo", finished, "--json").json["counts"] == before


def test_reprocess_with_other_settings_goes_into_a_run_of_its_own(isrflow, finished: Path) -> None:
    science = isrflow("query", "exposures", "obs_type = 'science'", "--repo", finished, "--json").json
    where = f"exposure = {science[0]['exposure']} and detector = 0"
    options = ("--out", "try/noflat", "--without", "flat", "--engine", "direct", "--workers", 1, "--repo", finished)
    report = isrflow("reprocess", where, *options, "--json").json
    assert report["n_done"] == 1
    rows = isrflow("query", "datasets", "run = 'try/noflat' and type = 'post_isr'", "--repo", finished, "--json").json
    assert len(rows) == 1


def test_a_table_in_a_pipe_is_tab_separated_and_whole(isrflow, finished: Path) -> None:
    lines = isrflow("query", "exposures", "obs_type = 'science'", "--repo", finished).out.splitlines()
    assert lines[0].split("\t")[:2] == ["instrument", "exposure"]
    assert len(lines) == 5
    assert {len(line.split("\t")) for line in lines} == {len(lines[0].split("\t"))}
    assert "no exposures match" in isrflow("query", "exposures", "day_obs = 19990101", "--repo", finished).out


@pytest.mark.parametrize("what", ["exposures", "datasets", "collections", "quanta"])
def test_everything_can_be_queried_and_says_what_it_has(isrflow, finished: Path, what: str) -> None:
    assert isrflow("query", what, "--repo", finished, "--json").json
    assert isrflow("query", what, "--fields", "--json").json


def test_a_reader_that_goes_away_is_no_error(finished: Path) -> None:
    import subprocess
    import sys

    many = f"{sys.executable} -c 'from flows.cli import main; main()' query datasets --json --repo {finished} | head -1"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["bash", "-o", "pipefail", "-c", many], capture_output=True, text=True, cwd=root, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


def test_a_wrong_query_points_at_the_column(isrflow, finished: Path) -> None:
    typed = isrflow("query", "exposures", "obs_tpe = 'science'", "--repo", finished, code=1)
    assert "did you mean 'obs_type'" in typed.err
    assert "^" in typed.err


def test_explain_says_what_was_chosen_and_what_is_missing(isrflow, finished: Path) -> None:
    science = isrflow(
        "query", "exposures", "physical_filter = 'r_01' and obs_type = 'science'", "--repo", finished, "--json"
    ).json
    number = science[0]["exposure"]
    assert "CHOSEN" in isrflow("explain", number, 0, "flat", "--repo", finished).out
    assert "chosen: none" in isrflow("explain", number, "B", "flat", "--repo", finished).out
    assert "no detector 'Z'" in isrflow("explain", number, "Z", "flat", "--repo", finished, code=1).err


def test_lineage_goes_up_and_down(isrflow, finished: Path) -> None:
    up = isrflow("lineage", product(isrflow, finished), "--repo", finished).out
    for kind in ("raw", "bias", "dark", "flat", "camera"):
        assert kind in up
    bias = isrflow("query", "datasets", "type = 'bias' and detector = 0", "--repo", finished, "--json").json[0]["id"]
    assert "post_isr" in isrflow("lineage", str(bias)[:8], "--down", "--repo", finished).out


def test_get_copies_a_file_out_and_clobbers_nothing(isrflow, finished: Path, tmp_path: Path) -> None:
    short = product(isrflow, finished)
    isrflow("get", short, "-o", "copy.fits", "--repo", finished)
    with fits.open(tmp_path / "copy.fits") as hdus:
        assert [hdu.name for hdu in hdus][1:4] == ["IMAGE", "MASK", "VARIANCE"]
    assert "exists already" in isrflow("get", short, "-o", "copy.fits", "--repo", finished, code=1).err
    isrflow("get", short, "-o", "copy.fits", "--force", "--repo", finished)
    assert "no dataset" in isrflow("get", "ffffffff", "-o", "x.fits", "--repo", finished, code=1).err.replace(
        "there is no", "no"
    )


def test_show_draws_raws_products_and_calibrations_and_refuses_tables(isrflow, finished: Path, tmp_path: Path) -> None:
    for index, kind in enumerate(("raw", "post_isr", "bias")):
        rows = isrflow("query", "datasets", f"type = '{kind}'", "--limit", 1, "--repo", finished, "--json").json
        isrflow("show", rows[0]["id"], "-o", f"{index}.png", "--repo", finished)
        assert (tmp_path / f"{index}.png").stat().st_size > 5000
    camera = isrflow("query", "datasets", "type = 'camera'", "--repo", finished, "--json").json[0]["id"]
    assert "holds no image" in isrflow("show", camera, "-o", "c.png", "--repo", finished, code=1).err


def test_certify_list_and_decertify(isrflow, finished: Path) -> None:
    rows = isrflow("calibs", "list", "--repo", finished, "--json").json
    bias = next(row for row in rows if row["type"] == "bias")
    planned = isrflow("calibs", "decertify", bias["id"], "--reason", "test", "--dry-run", "--repo", finished).out
    assert "dry run" in planned
    assert isrflow("calibs", "list", "--repo", finished, "--json").json == rows
    other = isrflow("calibs", "certify", bias["id"], "--begin", "20260301", "--repo", finished).out
    assert "1 unchanged" in other
    assert (
        "did you mean"
        in isrflow("calibs", "certify", "imported/bais", "--begin", "20260301", "--repo", finished, code=1).err
    )
    backwards = ("--begin", "20260302", "--end", "20260301")
    assert "before it begins" in isrflow("calibs", "certify", bias["id"], *backwards, "--repo", finished, code=1).err


def test_importing_a_calibration_of_another_detector_is_refused(isrflow, finished: Path, raws: Path) -> None:
    wrong = raws / "truth" / "bias_A.fits"
    typed = isrflow(
        "calibs", "import", "bias", wrong, "--detector", 1, "--out", "try/wrong", "--repo", finished, code=1
    )
    assert "bias_A.fits" in typed.err
    assert "detector" in typed.err


def test_recover_has_nothing_to_do_and_the_schema_is_current(isrflow, finished: Path) -> None:
    assert isrflow("recover", "--repo", finished, "--json").json["leftovers"] == []
    versions = isrflow("db", "current", "--repo", finished, "--json").json
    assert versions["found"] == versions["wanted"]
    assert isrflow("db", "upgrade", "--repo", finished, "--json").json["after"] == versions["wanted"]


def test_down_without_a_server_says_so(isrflow, finished: Path) -> None:
    assert isrflow("down", "--repo", finished).out == "no server was running\n"


def test_simulate_refuses_to_mix_two_nights(isrflow) -> None:
    options = ("--night", "20260301", "--science", 1, "--bias", 1, "--dark", 0, "--flat", 0)
    made = isrflow("simulate", "sim", *options, "--json").json
    assert made["n_raws"] == 4
    assert "holds files already" in isrflow("simulate", "sim", *options, code=1).err
    assert "no filter" in isrflow("simulate", "other", *options, "--filters", "z", code=1).err


def test_the_report_names_what_was_skipped_and_what_helps(isrflow, finished: Path, tmp_path: Path) -> None:
    isrflow("report", "last", "-o", "night.html", "--repo", finished)
    text = (tmp_path / "night.html").read_text()
    assert "2 were skipped" in text
    assert "isrflow explain" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "nothing of night" in isrflow("report", "20260301", "--run", "night/1", "--repo", finished, code=1).err


def test_json_of_every_reading_command_is_one_document(isrflow, finished: Path) -> None:
    for command in (["status"], ["query", "quanta"], ["calibs", "list"], ["recover", "--dry-run"], ["db", "current"]):
        json.loads(isrflow(*command, "--repo", finished, "--json").out)
