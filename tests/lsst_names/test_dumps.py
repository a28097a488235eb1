"""The tables against configurations as LSST's own tasks write them out."""

from __future__ import annotations

import pytest

from isrflow.lsst_names.classic import CLASSIC
from isrflow.lsst_names.names import same
from isrflow.lsst_names.newer import NEWER
from tests.vectors.harness import load_vectors

RUNS = {
    "lsst.ip.isr.IsrTask(config).run(raw, ...)": CLASSIC,
    "lsst.ip.isr.IsrTaskLSST(config).run(raw, ...)": NEWER,
}
"""Function of the reference, and the table of its configuration."""


AMPLIFIERS = "overscanCamera.defaultDetectorConfig.defaultAmpConfig"
SKIPPED = [f"{way}OverscanConfig.{end}ToSkip" for way in ("serial", "parallel") for end in ("leading", "trailing")]
SET_BY_ALL_RUNS = {"doLinearize", "doCorrectGains", "maskListToInterpolate", "isrStats.bandingUseHalfDetector"} | {
    f"{AMPLIFIERS}.{name}" for name in (*SKIPPED, "parallelOverscanConfig.maxDeviation")
}
"""What the recorded runs have in common and the defaults have not: their detectors are small."""


def dumps(table) -> list[dict]:
    """Configurations of runs, flat, under the table's names."""
    vectors = [each for each in load_vectors().values() if RUNS.get(each.function) is table]
    if not vectors:
        pytest.skip("no reference vectors here (ISRFLOW_VECTORS)")
    return [dict(table.flatten(each.params["config_full"])) for each in vectors]


@pytest.mark.parametrize("table", RUNS.values(), ids=[table.task for table in RUNS.values()])
def test_the_table_has_the_names_of_a_real_configuration_and_no_others(table) -> None:
    for dump in dumps(table):
        assert [name for name in dump if table.find(name) is None] == []
        closed = {row.lsst for row in table.names if not row.lsst.endswith(".*")}
        assert closed - dump.keys() == set()


@pytest.mark.parametrize("table", RUNS.values(), ids=[table.task for table in RUNS.values()])
def test_defaults_are_those_of_the_real_configurations(table) -> None:
    """What no run changes stands there with its default; the runs change few of some hundred names."""
    found = dumps(table)
    names = [name for name in table.defaults if all(same(dump.get(name), found[0].get(name)) for dump in found)]
    assert len(names) > 0.8 * len(table.defaults)
    differing = [name for name in names if not same(table.defaults[name], found[0].get(name))]
    assert set(differing) <= SET_BY_ALL_RUNS
