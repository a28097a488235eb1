"""A night in the newer order, from raws to products in electrons."""

from __future__ import annotations

import numpy as np
import pytest

from flows.calibrate import build_calibs
from flows.imports import import_calib
from flows.night import plan_night, run_night
from flows.repo import open_repo
from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.task.isr_task_lsst import INPUTS, IsrTaskLSST
from isrflow.task.task_context import TaskContext
from registry.timespan import ALL_TIME
from tests.flows.conftest import NIGHT

LSST = {"recipe": "lsst"}


@pytest.fixture
def repo(a_copy, raw_dir, night_files):
    """A repository with raws, and the tables the newer order cannot do without."""
    with open_repo(a_copy(raw_dir)) as opened:
        for kind in ("linearizer", "crosstalk", "ptc"):
            opened.butler.certify("calibs", import_calib(opened, kind, night_files.tables[kind]).refs, ALL_TIME)
        yield opened


def test_masters_and_products_of_the_newer_order_are_in_electrons(repo) -> None:
    built = build_calibs(repo, ["bias", "dark", "flat", "defects"], NIGHT, engine="direct", settings=LSST)
    assert built.exit_code == 0, built.render()
    assert built.next_steps[-1] == f"isrflow night {NIGHT} --recipe lsst"
    for kind in ("bias", "dark", "flat", "defects"):
        masters = repo.butler.datasets("", type=kind, collections=[f"calibs/{NIGHT}"])
        repo.butler.certify("calibs", masters, ALL_TIME)
        if kind == "dark":
            assert repo.butler.get(masters[0]).exposure.unit == "electron"
    report = run_night(repo, NIGHT, engine="direct", settings=LSST)
    assert report.exit_code == 0, report.render()
    product = repo.butler.get(repo.butler.datasets("", type="post_isr")[0])
    assert product.unit == "electron"
    assert product.header["LSST ISR GAIN SOURCE"] == "PTC"
    assert product.header["LSST ISR NOISE CHECKED"] is True
    assert [entry.step for entry in product.history][:3] == ["header", "comparison", "gain_source"]
    assert np.isfinite(product.image).all()
    again = plan_night(repo, NIGHT, settings=LSST)
    assert (again.n_ready, again.n_stale) == (0, 0)
    assert_the_task_gives_the_same(repo)


def assert_the_task_gives_the_same(repo) -> None:
    quantum = repo.butler.quanta(f"night/{NIGHT}")[0]
    context = QuantumContext(repo.butler, repo.butler.inputs(quantum.id), ("post_isr",))
    io = TaskContext(context, INPUTS)
    IsrTaskLSST(config=recipe_from(context.config)).runQuantum(io, io.inputRefs, io.outputRefs)
    products = repo.butler.datasets("", type="post_isr", collections=[f"night/{NIGHT}"])
    expected = repo.butler.get(next(ref for ref in products if ref.data_id == context.data_id))
    for ours, theirs in zip(context.outputs["post_isr"].planes(), expected.planes(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert context.outputs["post_isr"].header["LSST CALIB UUID PTC"] == str(context.ref("ptc").id)


def test_what_is_missing_for_the_newer_order_is_listed_before_anything_is_done(repo) -> None:
    plan = plan_night(repo, NIGHT, settings=LSST | {"brighter_fatter.enabled": True})
    text = plan.render()
    assert plan.n_ready == 0
    for kind in ("bias", "dark", "flat", "defects", "bfk"):
        assert kind in text
    assert "settings that differ from the defaults of IsrLsstConfig:" in text
