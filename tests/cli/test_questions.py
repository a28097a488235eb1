"""The questions as they are typed, on a night of the tiny camera."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flows.questions import where_of
from registry.refs import DataId

NIGHT = 20260301


@pytest.fixture
def repo(finished, tmp_path):
    """A copy that may be changed."""
    return Path(shutil.copytree(finished, tmp_path / "repo"))


@pytest.fixture
def bias(isrflow, finished):
    """The short id of the bias of detector 0."""
    rows = isrflow("query", "datasets", "type = 'bias' and detector = 0", "--repo", finished, "--json").json
    rows = rows["rows"] if isinstance(rows, dict) else rows
    return str(rows[0]["id"])[:8]


def test_impact_of_a_calibration(isrflow, finished, bias):
    found = isrflow("impact", bias, "--repo", finished, "--json").json
    assert found["nights"] == [NIGHT]
    assert found["runs"] == [f"night/{NIGHT}"]
    assert found["quanta"] == found["live"] // 2 > 0  # a picture and its statistics each
    text = isrflow("impact", bias, "--repo", finished).out
    assert f"directly:\n  night/{NIGHT}: " in text


def test_impact_of_nothing_known_says_what_there_is(isrflow, finished):
    typed = isrflow("impact", "nights", "--repo", finished, code=1)
    assert "there is no run 'nights'" in typed.err


def test_diff_of_two_reprocessings(isrflow, repo):
    where = f"day_obs = {NIGHT} and obs_type = 'science' and physical_filter = 'g_01'"
    for run, order in (("try/1", 1), ("try/3", 3)):
        isrflow(
            "reprocess", where, "--out", run, "--set", f"overscan.order={order}", "--repo", repo, "--engine", "direct",
            "--workers", 1,
        )  # fmt: skip
    found = isrflow("diff", "try/1", "try/3", "--repo", repo, "--json").json
    (one,) = found["differences"]
    assert (one["what"], one["before"], one["after"]) == ("overscan.order", "1", "3")
    assert one["n_quanta"] == found["quanta_in_both"] == 4
    assert found["unexplained"] == []
    assert "config overscan.order: 1 -> 3: all 4 quanta" in isrflow("diff", "try/1", "try/3", "--repo", repo).out


def test_recall_says_it_all_changes_nothing_and_does_it_if_told(isrflow, repo, bias):
    text = isrflow("recall", bias, "--reason", "glow", "--repo", repo).out
    assert "NOTHING" in text
    assert "nothing was changed" in text
    assert f"do it: isrflow recall {bias}" in text
    assert isrflow("whatif", f"night/{NIGHT}", "--repo", repo, "--json").json["affected"] == 0
    done = isrflow("recall", bias, "--reason", "glow", "--mark", "--repo", repo, "--json").json
    assert done["recall"]["event"] is not None
    assert done["runs"] is None
    since = isrflow("whatif", f"night/{NIGHT}", "--repo", repo, "--json").json
    assert since["affected"] > 0
    assert since["changes"][0]["effect"] == "lost"
    assert "MARKED_CERTIFIED" in isrflow("lint", "--repo", repo, code=3).out
    isrflow("unrecall", bias, "--reason", "it was the shutter", "--repo", repo)
    assert isrflow("whatif", f"night/{NIGHT}", "--repo", repo, "--json").json["affected"] == 0


def test_recall_makes_again_only_what_was_made_with_it(isrflow, repo, raws, bias):
    isrflow("calibs", "import", "bias", *sorted((raws / "truth").glob("bias_*")), "--out", "spare/bias", "--repo", repo)
    spare = isrflow("query", "datasets", "run = 'spare/bias' and detector = 0", "--repo", repo, "--json").json
    spare = spare["rows"] if isinstance(spare, dict) else spare
    isrflow("calibs", "certify", str(spare[0]["id"])[:8], "--begin", NIGHT, "--mode", "replace", "--repo", repo)
    done = isrflow(
        "recall", bias, "--reason", "glow", "--go", "--out", "redo/glow", "--repo", repo, "--engine", "direct",
        "--workers", 1, "--json",
    ).json  # fmt: skip
    assert [one["effect"] for one in done["recall"]["instead"]] == ["other"]
    affected = {(one["data_id"]["exposure"], one["data_id"]["detector"]) for one in done["recall"]["affected"]}
    assert {detector for _, detector in affected} == {0}
    assert [report["n_done"] for report in done["runs"]] == [len(affected)]
    isrflow("unrecall", bias, "--reason", "once more", "--repo", repo)
    typed = isrflow("recall", bias, "--reason", "glow", "--go", "--out", "redo/glow", "--repo", repo, code=1)
    assert "redo/glow exists already" in typed.err
    assert isrflow("recall", bias, "--reason", "x", "--repo", repo, "--json").json["recall"]["already_marked"] == []
    text = isrflow("diff", f"night/{NIGHT}", "redo/glow", "--repo", repo).out
    assert f"bias: {bias}" in text


def test_recall_makes_each_again_with_the_settings_it_was_made_with(isrflow, repo, raws, bias):
    where = f"day_obs = {NIGHT} and obs_type = 'science' and detector = 0"
    here = ("--repo", repo, "--engine", "direct", "--workers", 1)
    isrflow(
        "reprocess", where, "--out", "try/poly", "--set", "overscan.fit_type=POLY", "--set", "overscan.order=3", *here
    )
    isrflow("calibs", "import", "bias", *sorted((raws / "truth").glob("bias_*")), "--out", "spare/bias", "--repo", repo)
    isrflow("calibs", "certify", "spare/bias", "--begin", NIGHT, "--mode", "replace", "--repo", repo)
    text = isrflow("recall", bias, "--reason", "glow", "--repo", repo).out
    assert f"4 quanta (night/{NIGHT}) with the classic recipe, settings as today: into redo/NAME\n" in text
    assert "overscan.order = 3 (today 1): into redo/NAME/2\n" in text
    done = isrflow("recall", bias, "--reason", "glow", "--go", "--out", "redo/glow", *here)
    assert "to be made again as each was made:" in done.err  # before it is done
    for before, after in ((f"night/{NIGHT}", "redo/glow"), ("try/poly", "redo/glow/2")):
        found = isrflow("diff", before, after, "--repo", repo, "--json").json
        told = {(one["kind"], one["what"]) for one in found["differences"]} - {("only", before)}  # the other detector
        assert told == {("calibration", "bias")}
        assert found["unexplained"] == []


def test_settings_given_to_recall_are_laid_over_and_a_wrong_one_is_refused_first(isrflow, repo, bias):
    layer = Path("layer.yaml")
    layer.write_text("overscan: {clip_sigma: 4.0}\n")
    told = ("recall", bias, "--reason", "glow", "--repo", repo)
    assert "as each was made, but with overscan = {'clip_sigma': 4.0}:" in isrflow(*told, "--config", layer).out
    assert "ordre" in isrflow(*told, "--set", "overscan.ordre=3", "--go", "--out", "redo/x", code=1).err
    assert isrflow(*told, "--json").json["recall"]["already_marked"] == []


def test_recall_wants_a_run_of_its_own_and_calibrations(isrflow, finished, bias):
    typed = isrflow("recall", bias, "--reason", "x", "--go", "--repo", finished, code=1)
    assert "goes into a run of its own" in typed.err
    typed = isrflow("recall", "raw/tiny", "--reason", "x", "--repo", finished, code=1)
    assert "raw/tiny holds no calibrations" in typed.err


def test_whatif_supposes_one_thing(isrflow, finished, bias):
    typed = isrflow("whatif", NIGHT, "--repo", finished, code=1)
    assert "suppose one thing of" in typed.err
    typed = isrflow("whatif", NIGHT, "--as-of", "1", "--without", bias, "--repo", finished, code=1)
    assert "not --as-of and --without" in typed.err
    text = isrflow("whatif", NIGHT, "--without", bias, "--repo", finished).out
    assert text.startswith(f"without {bias}: of 8 quanta of night {NIGHT} 4 would get other calibrations")
    typed = isrflow("whatif", NIGHT, "--replace", bias, "--repo", finished, code=1)
    assert "--replace wants OLD=NEW" in typed.err


def test_coverage_shows_the_flat_that_is_missing_and_draws_it(isrflow, finished, tmp_path):
    picture = tmp_path / "coverage.png"
    assert "pictures are PNG" in isrflow("coverage", "--repo", finished, "--plot", "a.pdf", code=1).err
    found = isrflow("coverage", "--repo", finished, "--plot", picture, "--json", code=2).json
    missing = {
        (cell["type"], cell["physical_filter"], cell["detector"])
        for cell in found["cells"]
        if cell["state"] == "missing"
    }
    assert missing == {("flat", "r_01", 1)}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "is not a day" in isrflow("coverage", "20261301", "--repo", finished, code=1).err
    text = isrflow("coverage", "2026-03-01..20260301", "--type", "flat", "--repo", finished, code=2).out
    assert text.splitlines()[:2] == ["night\tflat/g_01\tflat/r_01", f"{NIGHT}\tok\t1 missing of 2 detectors"]


def test_coverage_of_a_planned_night_says_what_to_take(isrflow, finished, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("night: 20260305\nexposures:\n- {filter: r_01, n: 10}\n- {type: bias}\n")
    found = isrflow("coverage", "--tonight", plan, "--repo", finished, "--json", code=2).json
    assert (found["night"], found["take"]) == (20260305, ["flat exposures through r_01"])
    assert found["commands"][0] == "isrflow calibs build flat --night 20260305 --out calibs/20260305"
    table = tmp_path / "plan.csv"
    table.write_text("filter,type,n\ng_01,science,10\n")
    assert "nothing is missing" in isrflow("coverage", "--tonight", table, "--night", 20260305, "--repo", finished).out


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("plan.yaml", "night: 20260305\n", "is no plan"),
        ("plan.yaml", "- {filtre: r_01}\n", "no field of a plan 'filtre'; did you mean 'filter'"),
        ("plan.yaml", "- {filter: z}\n", "no physical filter 'z'"),
        ("plan.yaml", "- {type: science}\n", "names no filter"),
        ("plan.yaml", "- {filter: [\n", "is not YAML"),
        ("plan.csv", "filter,type\nr_01,sunset\n", "no type of exposure 'sunset'"),
    ],
)
def test_a_plan_that_cannot_be_read_says_why(isrflow, finished, name, content, complaint):
    plan = Path(name)  # where the command runs
    plan.write_text(content)
    assert complaint in isrflow("coverage", "--tonight", plan, "--repo", finished, code=1).err


def test_lint_lists_its_rules_and_looks(isrflow, finished):
    assert "EDGE_IN_NIGHT" in isrflow("lint", "--rules", "--repo", finished).out
    found = isrflow("lint", "--repo", finished, "--json").json
    assert found["worst"] in {None, "note"}
    assert found["looked_at"]["science exposures"] == 4


def test_data_ids_are_written_as_a_query_that_selects_exactly_them():
    ids = [DataId("tiny", 5, 1), DataId("tiny", 5, 0), DataId("tiny", 6, 1), DataId("tiny", 7, 0), DataId("tiny", 7, 1)]
    assert where_of(ids) == "(exposure in (5, 7) and detector in (0, 1)) or (exposure in (6) and detector in (1))"


def test_a_query_of_scattered_data_ids_has_no_more_parts_than_there_are_detectors():
    ids = {DataId("tiny", n, (n * n + k) % 5) for n in range(300) for k in range(n % 4 + 1)}
    text = where_of(ids)
    assert text.count(" or ") < 5
    selected = set()
    for part in text.split(" or "):
        exposures, detectors = (re.findall(r"\d+", one) for one in part.split(" and "))
        selected |= {DataId("tiny", int(e), int(d)) for e in exposures for d in detectors}
    assert selected == ids


def test_what_was_recalled_is_not_certified_and_it_says_how_to_take_that_back(isrflow, repo, bias):
    isrflow("recall", bias, "--reason", "light leak", "--mark", "--repo", repo)
    says = ("calibs", "certify", bias, "--begin", 20270101, "--repo", repo)
    refused = isrflow(*says, code=1).err
    assert "1 of 1 calibrations were recalled and would never be used; nothing was certified" in refused
    assert "(light leak)" in refused
    assert f"try: isrflow unrecall {bias} --reason WHY" in refused
    isrflow("unrecall", bias, "--reason", "it was the moon", "--repo", repo)
    isrflow(*says, "--mode", "replace")


def test_coverage_of_another_moment_points_to_what_explains_that_moment(isrflow, repo):
    told = isrflow("coverage", "--as-of", 1, "--repo", repo, code=2).out
    assert " --as-of 1\n" in told
    assert "mend:" not in told  # what was missing then cannot be mended any more
    why = next(line for line in told.splitlines() if "why: isrflow" in line).partition("isrflow ")[2].split()
    assert "chosen: none" in isrflow(*why, "--repo", repo).out


def test_a_moment_that_is_none_names_both_ways_to_give_one(isrflow, finished):
    for command in (("coverage", "--as-of", "soon"), ("events", "--since", "soon")):
        told = isrflow(*command, "--repo", finished, code=1).err
        assert "'soon' is not a time" in told
        assert "or the number of an event" in told
    assert "try: isrflow events" in isrflow("coverage", "--as-of", 10**6, "--repo", finished, code=1).err
