"""Flags and corrected headers over a registry in PostgreSQL, from raws to products."""

from __future__ import annotations

import numpy as np
import pytest

from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.mend import correct_headers, flag_exposures, restore_headers
from flows.repo import create_repo, open_repo
from flows.reprocess import plan_reprocess, run_reprocess
from registry.refs import DataId
from tests.flows.conftest import CALIBS, certify
from tests.postgres import server


@pytest.fixture
def repo(tmp_path, night_files):
    create_repo(tmp_path / "repo", "tiny", url=server().new_database()).close()
    with open_repo(tmp_path / "repo") as opened:  # with the settings of the environment: quanta run in this process
        ingest_paths(opened, night_files.raws)
        for kind in CALIBS:
            import_calib(opened, kind, (night_files.truths | night_files.tables)[kind])
        certify(opened, *CALIBS)
        yield opened


def test_a_night_is_mended_over_postgresql(repo, night_files):
    first, second, *_ = sorted(record.id for record in repo.butler.exposures("obs_type = 'science'"))
    flag_exposures(repo, [DataId("tiny", second)], "bad", reason="light leak")
    where = f"exposure in ({first}, {second}) and detector = 0"
    report = run_reprocess(repo, where, "before", engine="direct")
    assert (report.exit_code, report.n_done, report.n_skipped) == (2, 1, 1)
    done = correct_headers(repo, [DataId("tiny", first)], "DARKTIME", 64.0, reason="shutter log")
    assert [(one.type, one.run) for one in done.done.made] == [("isr_statistics", "before"), ("post_isr", "before")]
    assert repo.butler.exposures(f"exposure = {first}")[0].dark_time_s == 64.0
    assert plan_reprocess(repo, where, "before").n_stale == 1
    run_reprocess(repo, where, "after", engine="direct")
    images = [
        repo.butler.get(repo.butler.datasets("", type="post_isr", collections=[run])[0]).image
        for run in ("before", "after")
    ]
    assert not np.array_equal(*images)
    assert ingest_paths(repo, night_files.raws).n_already_there == len(night_files.raws)
    restore_headers(repo, [DataId("tiny", first)], "DARKTIME", reason="it was right")
    assert plan_reprocess(repo, where, "before").n_done_before == 1
    (row,) = repo.butler.header_corrections(history=True)
    assert (row.value, row.removed_at) == (64.0, row.added_at + 1)
