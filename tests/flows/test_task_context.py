"""IsrTask.runQuantum over a repository: the product of the night, of what the quantum declared and nothing else."""

import numpy as np
import pytest

from flows.night import run_night
from isrflow.errors import ConfigError
from isrflow.quantum.config import recipe_from
from isrflow.quantum.context import QuantumContext
from isrflow.task.base import Struct
from isrflow.task.isr_task import IsrTask
from isrflow.task.task_context import TaskContext
from tests.flows.conftest import NIGHT


@pytest.fixture
def context(repo):
    run_night(repo, NIGHT, engine="direct")
    quantum = repo.butler.quanta(f"night/{NIGHT}")[0]
    return QuantumContext(repo.butler, repo.butler.inputs(quantum.id), ("post_isr", "post_isr_bin8"))


def test_a_quantum_run_by_the_task_gives_the_product_of_the_night(repo, context) -> None:
    (made,) = (
        ref
        for ref in repo.butler.datasets("", type="post_isr", collections=[f"night/{NIGHT}"])
        if ref.data_id == context.data_id
    )
    io = TaskContext(context)
    IsrTask(config=recipe_from(context.config)).runQuantum(io, io.inputRefs, io.outputRefs)
    product, expected = context.outputs["post_isr"], repo.butler.get(made)
    for ours, theirs in zip(product.planes(), expected.planes(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert product.header["LSST CALIB UUID BIAS"] == str(context.ref("bias").id)
    assert product.header["LSST CALIB RUN CCDEXPOSURE"] == context.ref("raw").run
    assert set(context.outputs) == {"post_isr"}


def test_what_the_quantum_did_not_declare_is_refused(context) -> None:
    io = TaskContext(context)
    assert {"ccdExposure", "camera", "bias", "dark", "flat", "defects"} <= set(vars(io.inputRefs))
    with pytest.raises(ConfigError, match="did not declare an input 'crosstalk'; it declared raw"):
        io.get(Struct(crosstalk=Struct(id="another", run="x")))
    with pytest.raises(ConfigError, match="declared another dataset as bias than"):
        io.get(Struct(bias=Struct(id="another", run="x")))
    with pytest.raises(ConfigError, match="may not give 'oss_thumb'"):
        io.put(Struct(ossThumb=1), Struct(ossThumb="oss_thumb"))
