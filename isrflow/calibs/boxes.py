"""Boxes of bad pixels out of masks and FITS region tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.box import Box
from isrflow.kernels import footprints

if TYPE_CHECKING:
    from astropy.table import Table

_log = logging.getLogger(__name__)


def boxes_of_mask(mask: NDArray[np.bool_]) -> tuple[Box, ...]:
    """Cut the set pixels of a (ny, nx) mask into disjoint boxes, in the reference's order."""
    return tuple(Box(*box) for box in footprints.boxes(mask))


def boxes_of_regions(table: Table) -> tuple[Box, ...]:
    """Return the boxes of a FITS region table, whose centres count from one; shapes that are no boxes are left out."""
    boxes, left_out = [], []
    for i, row in enumerate(table):
        shape = str(row["SHAPE"]).strip().upper()
        x, y = _first(row["X"]) - 1, _first(row["Y"]) - 1
        angle = _first(row["ROTANG"]) if "ROTANG" in table.colnames else 0.0
        if shape == "POINT":
            boxes.append(Box(int(x), int(y), 1, 1))
        elif shape == "BOX" or (shape == "ROTBOX" and angle % 90 == 0):
            width, height = (float(size) for size in np.ravel(row["R"])[:2])
            if shape == "ROTBOX" and angle % 180 != 0:
                width, height = height, width
            # truncation toward zero, as the reference's conversion of a double does
            x0, y0 = int(x - width / 2 + 0.5), int(y - height / 2 + 0.5)
            boxes.append(Box(x0, y0, int(width), int(height)))
        else:
            left_out.append(f"row {i} ({shape}{f' at {angle} degrees' if shape == 'ROTBOX' else ''})")
    if left_out:
        _log.warning("regions that are no upright boxes are left out: %s", ", ".join(left_out))
    return tuple(boxes)


def _first(cell: Any) -> float:
    return float(np.ravel(cell)[0])
