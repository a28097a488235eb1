from __future__ import annotations

from uuid import uuid4

import pytest

from isrflow.errors import (
    CalibrationMismatch,
    ConfigError,
    GeometryError,
    RawFileError,
    StepError,
    UnprocessableError,
)
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.quantum import failure_of, is_retriable
from registry.refs import DataId, DatasetRef, QuantumInputs, QuantumRow

DATA_ID = DataId("tiny", 5, 1)
ROW = QuantumRow(3, uuid4(), "u/me", "isr", DATA_ID, "leased", "key")
RAW = DatasetRef(uuid4(), "raw", "raw/tiny", DATA_ID)
INPUTS = QuantumInputs(ROW, {"raw": RAW}, {}, {}, {}, "c", {}, "s", "set")


@pytest.fixture
def context():
    return QuantumContext(None, INPUTS, ("post_isr", "isr_statistics"))


def test_a_quantum_reaches_what_it_declared_and_nothing_else(context):
    assert context.ref("raw") == RAW
    with pytest.raises(ConfigError, match="isr of tiny exposure=5 detector=1 did not declare an input 'bias'"):
        context.ref("bias")
    with pytest.raises(ConfigError, match="it declared raw"):
        context.get("flat")
    with pytest.raises(ConfigError, match="did not declare"):
        context.path("dark")


def test_a_quantum_gives_what_its_task_makes_once(context):
    context.put("post_isr", 1)
    with pytest.raises(ConfigError, match="twice"):
        context.put("post_isr", 2)
    with pytest.raises(ConfigError, match="may not give 'bias'"):
        context.put("bias", 3)
    assert context.outputs == {"post_isr": 1}


def raised(error, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "kind", "retriable"),
    [
        (RawFileError("x"), "RawFileError", False),
        (GeometryError("x"), "GeometryError", False),
        (CalibrationMismatch("x"), "CalibrationMismatch", True),
        (MemoryError(), "MemoryError", True),
        (OSError(28, "No space left on device"), "OSError", True),
    ],
)
def test_failures_are_told_apart_by_whether_another_attempt_could_help(error, kind, retriable):
    assert failure_of(raised(error), {}).kind == kind
    assert failure_of(raised(error), {}).message
    assert is_retriable(raised(error)) is retriable


def test_the_kind_of_a_failed_step_is_that_of_its_cause_and_the_message_names_the_step():
    error = raised(StepError("step flat failed on exposure 5: dark", step="flat"), UnprocessableError("dark"))
    failure = failure_of(error, {"seconds": 1.5})
    assert (failure.kind, failure.seconds) == ("UnprocessableError", 1.5)
    assert "step flat failed" in failure.message
    assert "UnprocessableError: dark" in failure.traceback_text
    assert not is_retriable(error)
