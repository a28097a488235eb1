"""Planes as tile-compressed images: which code for which plane, and what the header says about it.

Masks are mostly zeros, of which Rice code makes next to nothing in less time than it takes to write them plainly.
Pixels with noise hold their information in the upper half of their bits: sorted by significance (GZIP_2), the upper
bytes are entropy-coded and the lower ones stored as they are, which takes a tenth of the time of a search for
repetitions that are not there, and is no larger. Rounding to a part of the noise (RICE with dither) is for those who
can do without the rest.

References
----------
.. [1] FITS standard 4.0, section 10. Deutsch, P. 1996, RFC 1951 and 1952 (deflate and gzip).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from isrflow.frame.cards import format_header
from isrflow.frame.fitsbytes import BLOCK, CARD
from isrflow.kernels.threads import map_in_threads

Compression = Literal["none", "mask", "gzip", "rice"]
"""none; mask: the mask alone; gzip: everything, without loss; rice: the mask without loss, the others rounded."""
Plane = NDArray[Any]

NOISE_LEVELS = 16.0
"""Steps of rounding in a standard deviation of the noise: they add 0.03 % to its variance."""
_ROWS = 32
_ROWS_OF_MASK = 64
_MOST_MEMORY = 9  # of zlib: blocks are longest then
_GZIP_BEGIN = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_RANDOM_LOOK = 4096  # bytes that are looked at
_RANDOM_KINDS = 200  # of 256 different ones at least, if they are noise
_LAYOUT = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|T(TYPE|FORM|UNIT)\d+|Z(IMAGE|SIMPLE|EXTEND|TENSION|BITPIX"
    r"|NAXIS\d*|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|PCOUNT|GCOUNT|HECKSUM|DATASUM|BLOCKED)"
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A plane as it is stored."""

    cards: list[tuple[str, Any]]
    """The beginning of the header: a table's, and what the picture was."""
    data: bytes
    decoded: Plane | None = None
    """What a reader gets, where that is not the plane itself."""


def pack(plane: Plane, compression: Compression) -> Packed | None:
    """Compress a plane; None if it is to be stored as it is."""
    if compression == "none" or plane.size == 0:
        return None
    if plane.dtype == np.int32:
        return _by_astropy(plane, tile_shape=(min(_ROWS_OF_MASK, plane.shape[0]), plane.shape[1]))
    if plane.dtype != np.float32 or compression == "mask":
        return None
    return _gzipped(plane) if compression == "gzip" else _rounded(plane)


def header_of_image(header: fits.Header) -> bytes:
    """Return the header that a compressed image would have uncompressed."""
    axes = int(header["ZNAXIS"])
    sizes = [(f"NAXIS{axis}", int(header[f"ZNAXIS{axis}"])) for axis in range(1, axes + 1)]
    start = [("XTENSION", "IMAGE"), ("BITPIX", int(header["ZBITPIX"])), ("NAXIS", axes), *sizes]
    rest = [card for card in header.cards if not _LAYOUT.fullmatch(card.keyword)]
    first: bytes = format_header([*start, ("PCOUNT", 0), ("GCOUNT", 1)]).rstrip().removesuffix(b"END").rstrip()
    others: str = fits.Header(rest).tostring()
    return first.ljust(-(-len(first) // CARD) * CARD) + others.encode("ascii")


def _by_astropy(plane: Plane, **options: Any) -> Packed:
    buffer = BytesIO()
    hdu = fits.CompImageHDU(plane, compression_type="RICE_1", **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    content = buffer.getvalue()[BLOCK:]
    end = content.index(b"END".ljust(CARD)) + CARD
    header, begin = fits.Header.fromstring(content[:end]), -(-end // BLOCK) * BLOCK
    length = header["NAXIS1"] * header["NAXIS2"] + header["PCOUNT"]
    cards = [(card.keyword, card.value) for card in header.cards if _LAYOUT.fullmatch(card.keyword)]
    return Packed(cards, content[begin : begin + length])


def _rounded(plane: Plane) -> Packed:
    """Round to a part of the noise of each tile; the dither begins as the pixels say, so that it is the same again."""
    packed = _by_astropy(
        plane,
        tile_shape=(min(_ROWS_OF_MASK, plane.shape[0]), plane.shape[1]),
        quantize_level=NOISE_LEVELS,
        quantize_method=2,  # SUBTRACTIVE_DITHER_2, which keeps zeros
        dither_seed=-1,  # DITHER_SEED_CHECKSUM
    )
    header = format_header(list(packed.cards))
    padded = packed.data.ljust(-(-len(packed.data) // BLOCK) * BLOCK, b"\0")
    lone = fits.PrimaryHDU().header.tostring().encode("ascii") + header + padded
    with fits.open(BytesIO(lone), memmap=False) as hdus:
        decoded = np.ascontiguousarray(hdus[1].data, np.float32)
    return Packed(packed.cards, packed.data, decoded)


def _gzipped(plane: Plane) -> Packed:
    height, width = plane.shape
    tiles = map_in_threads(lambda y: _gzip_tile(plane[y : y + _ROWS]), range(0, height, _ROWS))
    lengths = np.array([len(tile) for tile in tiles], np.int64)
    table = np.stack([lengths, np.cumsum(lengths) - lengths], axis=1).astype(">i4")
    longest, heap = int(lengths.max()), int(lengths.sum())
    cards = [
        *(("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 8), ("NAXIS2", len(tiles))),
        *(("PCOUNT", heap), ("GCOUNT", 1), ("TFIELDS", 1)),
        *(("TTYPE1", "COMPRESSED_DATA"), ("TFORM1", f"1PB({longest})"), ("ZIMAGE", True), ("ZTENSION", "IMAGE")),
        *(("ZBITPIX", -32), ("ZNAXIS", 2), ("ZNAXIS1", width), ("ZNAXIS2", height), ("ZPCOUNT", 0), ("ZGCOUNT", 1)),
        *(("ZTILE1", width), ("ZTILE2", min(_ROWS, height)), ("ZCMPTYPE", "GZIP_2"), ("ZQUANTIZ", "NONE")),
    ]
    return Packed(cards, table.tobytes() + b"".join(tiles))


def _gzip_tile(pixels: Plane) -> bytes:
    """Compress some rows, all highest bytes first, then all second highest, and so on."""
    stored = np.ascontiguousarray(pixels, ">f4").view(np.uint8).reshape(-1, 4)
    shuffled = np.ascontiguousarray(stored.T)
    upper, lower = shuffled[:2].tobytes(), shuffled[2:].tobytes()
    coder = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, _MOST_MEMORY, zlib.Z_HUFFMAN_ONLY)
    parts = [coder.compress(upper)]
    if len(set(lower[:_RANDOM_LOOK])) < _RANDOM_KINDS:  # pixels of an even picture, say, may repeat in all bytes
        parts += [coder.compress(lower), coder.flush()]
    else:
        plain = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
        parts += [coder.flush(zlib.Z_FULL_FLUSH), plain.compress(lower), plain.flush()]
    checks = struct.pack("<II", zlib.crc32(lower, zlib.crc32(upper)), len(upper) + len(lower))
    return b"".join([_GZIP_BEGIN, *parts, checks])
