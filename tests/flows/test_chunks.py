from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from flows.chunks import chunk_size, chunks_of
from registry.refs import DataId, QuantumRow


def row(number, exposure):
    return QuantumRow(number, uuid4(), "r", "isr", DataId("tiny", exposure, number), "planned", "key")


def test_the_rule_for_the_size_of_a_chunk():
    assert chunk_size(48, 2) == 3  # ceil(48 / (8 * 2))
    assert chunk_size(1, 2) == 1
    assert chunk_size(18_900, 100) == 24
    assert chunk_size(18_900, 16) == 64  # never more than 64 ...
    assert chunk_size(189_000, 100) == 95  # ... unless there would be more than 2000 pieces


@given(st.lists(st.integers(1, 5), max_size=60), st.integers(1, 4))
def test_chunks_hold_every_quantum_once_and_never_span_exposures(exposures, workers):
    rows = [row(number, exposure) for number, exposure in enumerate(exposures)]
    chunks = chunks_of(rows, workers)
    assert sorted(item.id for chunk in chunks for item in chunk) == [item.id for item in rows]
    assert all(len({item.data_id.exposure for item in chunk}) == 1 for chunk in chunks)
    assert all(0 < len(chunk) <= chunk_size(len(rows), workers) for chunk in chunks)
