"""Tile-compressed integers, decoded without a detour over tables and copies of the file.

Rice code of integers is what cameras write. Anything else (floating-point pixels, other codes, tables with columns of
their own for odd tiles) is left to astropy.

References
----------
.. [1] FITS standard 4.0, section 10.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import RawFileError
from isrflow.frame.fitsbytes import HduBytes
from isrflow.kernels.rice import decode_rice

_STORED = {8: (np.uint8, 1), 16: (np.int16, 2), 32: (np.int32, 4)}
_POINTER = re.compile(r"1?([PQ])B")


def decode_integers(hdu: HduBytes) -> NDArray[Any] | None:
    """Return the stored integers of a compressed HDU, BZERO and BSCALE not applied; None if astropy must decode it.

    Raises
    ------
    RawFileError
        If the code is broken; does not name the file.
    """
    header = hdu.header
    pointer = _POINTER.match(str(header.get("TFORM1", "")).strip())
    is_plain = (
        str(header.get("ZCMPTYPE", "")).strip() in {"RICE_1", "RICE_ONE"}
        and header.get("ZBITPIX") in _STORED
        and header.get("TFIELDS") == 1
        and header.get("ZNAXIS") == 2
        and "ZSCALE" not in header
    )
    if pointer is None or not is_plain:
        return None
    places = _places(hdu, ">i4" if pointer[1] == "P" else ">i8")
    options = {str(header.get(f"ZNAME{k}", "")).strip(): header.get(f"ZVAL{k}") for k in range(1, 10)}
    dtype, natural = _STORED[header["ZBITPIX"]]
    n_bytes, block = int(options.get("BYTEPIX") or natural), int(options.get("BLOCKSIZE") or 32)
    width, height = hdu.size
    boxes = _boxes(width, height, int(header.get("ZTILE1", width)), int(header.get("ZTILE2", 1)))
    if n_bytes not in {1, 2, 4} or (places[:, 1] == 0).any():
        return None
    image = None
    if len(boxes) == len(places) and int(places.sum(axis=1).max(initial=0)) <= len(hdu.data):
        stored = np.frombuffer(hdu.data, np.uint8)
        image = decode_rice(stored, places, boxes, (height, width), n_bytes=n_bytes, block=block)
    if image is None:
        raise RawFileError("compressed pixels cannot be decoded: the code of a tile is broken")
    return image.astype(dtype, copy=False)


def _places(hdu: HduBytes, kind: str) -> NDArray[np.int64]:
    """Return (begin, length) of each tile in the HDU's data."""
    rows, row_bytes = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])
    table = np.frombuffer(hdu.data[: rows * row_bytes], np.uint8).reshape(rows, row_bytes)
    size = 2 * np.dtype(kind).itemsize
    pairs = np.ascontiguousarray(table[:, :size]).view(kind).astype(np.int64)
    heap = int(hdu.header.get("THEAP", rows * row_bytes))
    return np.ascontiguousarray(np.stack([pairs[:, 1] + heap, pairs[:, 0]], axis=1))


def _boxes(width: int, height: int, tile_width: int, tile_height: int) -> NDArray[np.int64]:
    """Return (y0, y1, x0, x1) of each tile, row after row of tiles."""
    y, x = (each.ravel() for each in np.mgrid[0:height:tile_height, 0:width:tile_width])
    ends = np.minimum(y + tile_height, height), np.minimum(x + tile_width, width)
    return np.stack([y, ends[0], x, ends[1]], axis=1).astype(np.int64)
