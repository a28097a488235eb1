"""Every reference vector whose function is built gives the reference's numbers.

The vectors lie in the directory named by ISRFLOW_VECTORS, else in ``../shared/vectors``; the adapters in
``tests/vectors``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.vectors.harness import adapter_for, load_vectors, run_vector
from tests.vectors.summary import DIFFERENCE, NOT_COVERED

COMPATIBILITY = (Path(__file__).parent.parent / "docs" / "compatibility.md").read_text(encoding="utf-8")
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
    undocumented = [heading for heading in found.left_out.values() if f"# {heading}\n" not in COMPATIBILITY]
    assert not undocumented, f"docs/compatibility.md has no heading {undocumented}"
