"""Pictures of three times eight bits as PNG: just enough of the format for thumbnails, without another dependency."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import IsrflowError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = bytes((8, 2, 0, 0, 0))


def write_png(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write a (ny, nx, 3) picture; the first row is the lowest."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 3 * width + 1), np.uint8)  # every row begins with its filter: none
    rows[:, 1:] = pixels[::-1].reshape(height, -1)
    header = struct.pack(">II", width, height) + _RGB_8_BITS
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    path.write_bytes(_SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks))


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read a picture that `write_png` wrote; the first row is the lowest.

    Raises
    ------
    IsrflowError
        If the file is damaged, or a PNG of another kind.
    """
    content, parts = path.read_bytes(), {b"IHDR": b"", b"IDAT": b""}
    place = len(_SIGNATURE)
    while content.startswith(_SIGNATURE) and place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if content[place : place + 12 + length] != _chunk(kind, data):
            break
        parts[kind] = parts.get(kind, b"") + data
        place += 12 + length
    if b"IEND" not in parts or parts[b"IHDR"][8:] != _RGB_8_BITS:
        raise IsrflowError(f"{path} is not a whole thumbnail")
    width, height = struct.unpack(">II", parts[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 3 * width + 1)
    return rows[::-1, 1:].reshape(height, width, 3).copy()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
