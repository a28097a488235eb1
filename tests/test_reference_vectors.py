"""Every reference vector whose function is built gives the reference's numbers.

The vectors lie in the directory named by ISRFLOW_VECTORS, else in ``../shared/vectors``; the adapters in
``tests/vectors``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vectors.conditions import conditions, undocumented
from tests.vectors.harness import adapter_for, load_vectors, run_vector
from tests.vectors.summary import DIFFERENCE, NOT_COVERED

NAMES = sorted(load_vectors())


@pytest.mark.skipif(NAMES == [], reason="no reference vectors: set ISRFLOW_VECTORS to their directory")
@pytest.mark.parametrize("name", NAMES or ["none"])
def test_the_vector_is_reproduced(name, record_property) -> None:
    vector = replace(load_vectors()[name])  # a copy, so that its arrays are not kept
    record_property("vector", name)
    adapter = adapter_for(vector)
    if adapter is None:
        pytest.skip(f"{NOT_COVERED}{vector.function}")
    found = run_vector(vector, adapter)
    if found.left_out:
        record_property(DIFFERENCE, "; ".join(sorted(set(found.left_out.values()))))
    assert not found.failures, "\n".join(found.failures)
    missing = undocumented(vector.function, set(found.left_out.values()))
    assert not missing, f"docs/compatibility.md: {'; '.join(missing)}"


@pytest.mark.parametrize("heading", conditions())
def test_every_deliberate_difference_states_function_condition_and_size(heading) -> None:
    condition = conditions()[heading]
    assert {"Function", "When", "Size"} <= set(condition.parts), f"{heading}: {sorted(condition.parts)}"
    assert all(condition.parts.values())
