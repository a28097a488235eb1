"""Mask planes: names for the bits of an int32 mask.

Bits 0 to 10 are those of the reference and never change. CROSSTALK, ITL_DIP and UNMASKEDNAN, which the reference
numbers in order of first use, have fixed bits here so that masks of one process and of the next can be OR-ed without
thought. Other names take the lowest free bit, for the whole process. In files the planes are always mapped by name.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import MaskPlaneError

STANDARD_PLANES: Mapping[str, int] = {
    "BAD": 0,
    "SAT": 1,
    "INTRP": 2,
    "CR": 3,
    "EDGE": 4,
    "DETECTED": 5,
    "DETECTED_NEGATIVE": 6,
    "SUSPECT": 7,
    "NO_DATA": 8,
    "VIGNETTED": 9,
    "STREAK": 10,
    "CROSSTALK": 11,
    "ITL_DIP": 12,
    "UNMASKEDNAN": 13,
}
LARGEST_BIT = 30  # bit 31 is the sign of an int32

_planes: dict[str, int] = dict(STANDARD_PLANES)
_lock = threading.Lock()


def mask_planes() -> dict[str, int]:
    """Return all plane names of this process with their bit numbers."""
    return dict(_planes)


def mask_bits(names: str | Iterable[str]) -> int:
    """Return the mask value (1 << bit) of a plane, or the OR of several.

    Raises
    ------
    MaskPlaneError
        If a plane is not defined; all unknown names are listed.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in _planes]
    if unknown:
        near = [match for name in unknown for match in get_close_matches(name, _planes, n=1)]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise MaskPlaneError(f"no mask plane named {', '.join(unknown)}{hint} (defined: {', '.join(_planes)})")
    value = 0
    for name in wanted:
        value |= 1 << _planes[name]
    return value


def add_mask_plane(name: str) -> int:
    """Define a plane if it is new, and return its mask value.

    Raises
    ------
    MaskPlaneError
        If all 31 bits are taken.
    """
    with _lock:
        if name not in _planes:
            free = next((bit for bit in range(LARGEST_BIT + 1) if bit not in _planes.values()), None)
            if free is None:
                raise MaskPlaneError(f"no bit is left for mask plane {name}: {len(_planes)} planes are defined")
            _planes[name] = free
        return 1 << _planes[name]


def remap_mask(mask: NDArray[np.integer], planes: Mapping[str, int]) -> NDArray[np.int32]:
    """Rewrite a mask whose bits mean `planes` in terms of this process's bits.

    Parameters
    ----------
    mask
        Integer array of any shape, left untouched.
    planes
        Plane name to bit number, as the file states them; new names are defined.

    Returns
    -------
    ndarray of int32
        A new array.
    """
    moves = [(1 << bit, add_mask_plane(name)) for name, bit in planes.items()]
    if all(old == new for old, new in moves):
        return mask.astype(np.int32)
    result = np.zeros(mask.shape, np.int32)
    for old, new in moves:
        result[(mask & old) != 0] |= new
    return result
