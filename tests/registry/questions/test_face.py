"""The questions as methods of a Butler, on a repository with files."""

from __future__ import annotations

import pytest

from registry.questions.tonight import Planned, PlannedNight
from registry.questions.whatif import View, Want
from registry.refs import DataId, Match, QuantumSpec
from registry.times import parse_time
from registry.timespan import ALL_TIME

D1 = DataId("lupine", detector=1)
HERE = View(("calibs",))
FIRST = DataId("lupine", 20260301003, 1)


@pytest.fixture
def made(butler):
    """Three biases -> a master, certified; two science raws corrected with it into two runs; a spare master."""
    butler.register_collection("try/1", "RUN")
    raws = [butler.put(n, "raw", DataId("lupine", 20260301000 + n, 1), "raw/lupine") for n in range(5)]
    inputs = tuple((f"raw:{ref.data_id.exposure}", ref.id) for ref in raws[:3])
    master = run(butler, "calibs/1", QuantumSpec("make_bias", D1, inputs, (), "m"), {"bias": "master"})
    match = Match(master, butler.certify("calibs", [master], ALL_TIME, reason="first light").added[0].id, "calibs")
    for name, offset in (("night/1", 0), ("try/1", 1)):
        for raw in raws[3:]:
            spec = QuantumSpec("isr", raw.data_id, (("raw", raw.id),), (("bias", match),), f"{name}{raw.id}")
            run(butler, name, spec, {"post_isr": offset}, {"settings": {"overscan": {"order": 1 + offset}}})
    butler.register_collection("spare", "RUN")
    return master, butler.put("spare", "bias", D1, "spare")


def run(butler, collection, spec, outputs, config=None):
    (row,) = butler.plan(collection, [spec], config=config or {}, software={"packages": {"isrflow": "1"}})
    assert butler.lease([row.id]) == [row.id]
    (ref,) = butler.publish(row.id, outputs, run=collection, data_id=spec.data_id, metrics={"cpu_s": 1.5})
    return ref


def test_impact_counts_files_bytes_and_cpu(butler, made):
    master, _ = made
    found = butler.impact([master])
    sizes = [ref.size for ref in butler.datasets(type="post_isr")]
    assert (found.n_products, found.n_bytes, found.cpu_s) == (4, sum(sizes), 6.0)
    assert butler.impact([master.id]).to_dict() == found.to_dict()


def test_diff_names_the_setting(butler, made):
    (one,) = butler.diff("night/1", "try/1").differences
    assert (one.what, one.before, one.after, one.where) == ("overscan.order", "1", "2", "all 2 quanta")


def test_whatif_supposes_and_recall_does(butler, made):
    master, spare = made
    wants = [Want([FIRST], {"bias": True})]
    supposed = View(("calibs",), suppose=butler.suppose_replaced([master], [spare]))
    (change,) = butler.whatif(wants, HERE, supposed, supposed="if", of="it").changes
    assert (change.effect, [ref.id for ref in change.after]) == ("other", [spare.id])
    supposed = View(("calibs",), suppose=butler.suppose_certified("calibs", [spare], ALL_TIME))
    assert butler.whatif(wants, HERE, supposed, supposed="if", of="it").affected == (FIRST,)
    assert butler.whatif_since("night/1", wants, HERE).changes == ()
    events = len(butler.events(None))
    assert butler.recall([master], HERE, reason="glow").event_seq is None
    assert len(butler.events(None)) == events
    done = butler.recall([master], HERE, reason="glow", dry_run=False)
    assert (done.event_seq, butler.events(1)[0].reason) == (butler.events(1)[0].seq, "glow")
    assert [one.effect for one in butler.whatif_since("night/1", wants, HERE).changes] == ["lost"]
    butler.unmark([master], "bad", reason="no")
    assert butler.whatif_since("night/1", wants, HERE).changes == ()


def test_coverage_lint_and_tonight(butler, made):
    assert butler.coverage([Want([FIRST], {"bias": True})], HERE).is_complete
    records = butler.exposures("obs_type = 'science'")
    assert len(butler.representatives(records, ["bias"], HERE)) == 1
    assert butler.lint(("calibs",)).worst is None
    butler.mark([made[0]], "bad", reason="glow")
    assert butler.lint(("calibs",)).worst == "error"
    plan = PlannedNight("lupine", 20260302, [parse_time("2026-03-02T22:00")], [Planned("r", 1, {"bias": True})])
    assert [one.state for one in butler.tonight(plan, HERE).prospects] == ["missing"]
    butler.certify("calibs", [made[1]], ALL_TIME, mode="replace")
    assert butler.tonight(plan, HERE).is_complete
