"""How quanta are gathered into pieces for an engine that pays for every piece it hands out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from registry.refs import QuantumRow

_LARGEST = 64
_MOST_PIECES = 2000  # a server keeps each one, and a flow holds a future for it
_PIECES_PER_WORKER = 8  # enough that the last ones to finish do not keep the other workers waiting long


def chunk_size(n_quanta: int, workers: int) -> int:
    """Return how many quanta make a piece: minutes of work at most, and never thousands of pieces."""
    wanted = math.ceil(n_quanta / (_PIECES_PER_WORKER * workers))
    return max(1, min(wanted, _LARGEST), math.ceil(n_quanta / _MOST_PIECES))


def chunks_of(quanta: Sequence[QuantumRow], workers: int) -> list[list[QuantumRow]]:
    """Gather quanta into pieces that never span exposures, in their order."""
    size = chunk_size(len(quanta), workers)
    exposures: dict[int | None, list[QuantumRow]] = defaultdict(list)
    for row in quanta:
        exposures[row.data_id.exposure].append(row)
    return [rows[start : start + size] for rows in exposures.values() for start in range(0, len(rows), size)]
