"""Names, metadata, subtasks and timers."""

import pytest

from isrflow.errors import ConfigError
from isrflow.task.base import Struct, Task


class Inner(Task):
    defaultName = "inner"  # noqa: N815


class Outer(Task):
    defaultName = "outer"  # noqa: N815
    inner = Inner.makeField("does the inner work")


@pytest.fixture
def outer() -> Outer:
    task = Outer()
    task.makeSubtask("inner")
    return task


def test_names_show_the_tree(outer) -> None:
    assert outer.inner.getName() == "inner"
    assert outer.inner.getFullName() == "outer.inner"
    assert outer.inner.log.name == "lsst.outer.inner"
    assert {name: reference() for name, reference in outer.getTaskDict().items()} == {
        "outer": outer,
        "outer.inner": outer.inner,
    }


def test_metadata_of_the_tree_is_gathered_and_emptied(outer) -> None:
    outer.inner.metadata["N"] = 3
    outer.metadata.append("T", 1.0)
    outer.metadata.append("T", 2.0)
    assert outer.getFullMetadata() == {"outer": {"T": [1.0, 2.0]}, "outer:inner": {"N": 3}}
    outer.emptyMetadata()
    assert outer.getFullMetadata() == {"outer": {}, "outer:inner": {}}


def test_the_timer_notes_before_and_after_even_if_the_block_fails(outer) -> None:
    with pytest.raises(ValueError, match="in the block"), outer.timer("work"):
        raise ValueError("in the block")
    noted = outer.metadata
    assert noted["workEndCpuTime"][0] >= noted["workStartCpuTime"][0]
    assert noted["workEndMaxResidentSetSize"][0] > 1e6
    assert noted["__version__"] == 1
    assert {key.removeprefix("workStart") for key in noted if key.startswith("workStart")} == {
        key.removeprefix("workEnd") for key in noted if key.startswith("workEnd")
    }


def test_places_for_subtasks_are_named_when_one_is_missed(outer) -> None:
    with pytest.raises(ConfigError, match=r"Outer has no place for a subtask 'iner' \(it has inner\)"):
        outer.makeSubtask("iner")


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="Outer does not take colour"):
        Outer(colour="red")


def test_a_struct_gives_its_results_by_name() -> None:
    assert Struct(a=1, b=2).getDict() == {"a": 1, "b": 2}
