"""FITS files as bytes: where each HDU begins and ends, and whether its bytes are the ones that were written.

Damage is looked for here, before anything is decoded, because a reader that decodes damaged bytes returns numbers.
"""

from __future__ import annotations

import gzip
import mmap
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from isrflow.errors import RawFileError

BLOCK = 2880
CARD = 80
_GZIP_MAGIC = b"\x1f\x8b"
_WITHOUT_VALUE = frozenset({b"", b"COMMENT", b"HISTORY", b"CONTINUE", b"HIERARCH", b"END"})
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_AGAIN = "copy or download the file again and compare the sizes"
_RECHECK = "copy or download the file again; if it was edited on purpose, `fitscheck --write FILE` renews its checksums"


@dataclass(frozen=True, slots=True)
class HduBytes:
    """One HDU of a file held in memory."""

    index: int
    header: fits.Header
    data: memoryview
    """The data bytes as stored (compressed if the HDU is), without padding."""
    stored: memoryview
    """Header, data and padding."""

    @property
    def name(self) -> str:
        """EXTNAME, or an empty string."""
        return str(self.header.get("EXTNAME", "")).strip()

    @property
    def label(self) -> str:
        """Name the HDU for messages."""
        return f"HDU {self.index}" + (f" ({self.name})" if self.name else "")

    @property
    def is_compressed(self) -> bool:
        """Whether this is a tile-compressed image."""
        return bool(self.header.get("ZIMAGE", False))

    @property
    def is_image(self) -> bool:
        """Whether this HDU holds a picture, compressed or not."""
        if self.is_compressed:
            return True
        is_kind = self.index == 0 or str(self.header.get("XTENSION", "")).strip() == "IMAGE"
        return is_kind and len(self.data) > 0

    @property
    def size(self) -> tuple[int, ...]:
        """Axis lengths of the picture, x first."""
        prefix = "ZNAXIS" if self.is_compressed else "NAXIS"
        return tuple(int(self.header[f"{prefix}{axis + 1}"]) for axis in range(int(self.header[prefix])))


def read_hdus(path: Path, *, verify: bool = True) -> tuple[HduBytes, ...]:
    """Read a FITS file, gzipped or not whatever its name says, and find its HDUs.

    Parameters
    ----------
    path
        The file.
    verify
        Compare every HDU with its CHECKSUM and DATASUM cards where it has them.

    Returns
    -------
    tuple of HduBytes
        In order; their bytes are those of the file, mapped into memory as long as they live.

    Raises
    ------
    RawFileError
        If the file cannot be read, is not FITS, ends too early, or does not match its checksums; names file and HDU.
    """
    content = memoryview(_unzipped(path))
    spans = list(_spans(content, path))
    if verify:
        _refuse_damaged([(content[start:data], content[data:end]) for start, data, _, end in spans], path)
    hdus = []
    for index, (start, data_start, data_end, end) in enumerate(spans):
        header = fits.Header.fromstring(_standard_cards(bytes(content[start:data_start])))
        hdus.append(HduBytes(index, header, content[data_start:data_end], content[start:end]))
    return tuple(hdus)


def _unzipped(path: Path) -> bytes | mmap.mmap:
    try:
        with path.open("rb") as file:
            is_empty = path.stat().st_size == 0  # which cannot be mapped
            content = b"" if is_empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise RawFileError(f"{path} cannot be read: {error.strerror or error}") from error
    if content[:2] != _GZIP_MAGIC:
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RawFileError(f"{path} is damaged: its gzip stream is cut or broken ({error})", fix=_AGAIN) from error


def _spans(content: memoryview, path: Path) -> Iterator[tuple[int, int, int, int]]:
    """Yield (header start, data start, data end, end with padding) of each HDU."""
    if bytes(content[:9]) != b"SIMPLE  =":
        what = "is empty" if not content else "is not a FITS file: it does not begin with a SIMPLE card"
        raise RawFileError(f"{path} {what}", fix=_AGAIN if not content else None)
    start, index = 0, 0
    while start < len(content):
        rest = content[start:]
        if index and bytes(rest[:8]) != b"XTENSION":
            if not any(bytes(rest).strip(b"\0 ")):
                return
            raise RawFileError(
                f"{path} is damaged: after HDU {index - 1} come {len(rest)} bytes that are not an HDU", fix=_AGAIN
            )
        data_start = start + _header_length(rest, f"{path} HDU {index}")
        length = _data_length(content[start:data_start], f"{path} HDU {index}")
        end = data_start + -(-length // BLOCK) * BLOCK
        if data_start + length > len(content):
            raise RawFileError(
                f"{path} is truncated: HDU {index} should reach byte {data_start + length}, "
                f"the file ends at byte {len(content)}",
                fix=_AGAIN,
            )
        yield start, data_start, data_start + length, min(end, len(content))
        start, index = end, index + 1


def _header_length(rest: memoryview, where: str) -> int:
    for block in range(0, len(rest), BLOCK):
        cards = bytes(rest[block : block + BLOCK])
        if _PRINTABLE.fullmatch(cards) is None:
            raise RawFileError(f"{where} is damaged: its header holds bytes that are not text", fix=_AGAIN)
        for at in range(0, len(cards), CARD):
            if cards[at : at + CARD].rstrip() == b"END":
                return block + BLOCK
    raise RawFileError(f"{where} is truncated: its header has no END card", fix=_AGAIN)


def _data_length(header: memoryview, where: str) -> int:
    """Return the number of data bytes by the formula of the FITS standard (section 4.4.1)."""
    axes = _integer(header, "NAXIS", where)
    if axes == 0:
        return 0
    pixels = 1
    for axis in range(1, axes + 1):
        pixels *= _integer(header, f"NAXIS{axis}", where)
    bits = abs(_integer(header, "BITPIX", where))
    return bits // 8 * _integer(header, "GCOUNT", where, 1) * (_integer(header, "PCOUNT", where, 0) + pixels)


def _integer(header: memoryview, keyword: str, where: str, default: int | None = None) -> int:
    text = _value(header, keyword)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError as error:
        said = "is missing" if text is None else f"reads {text!r}"
        raise RawFileError(f"{where} is damaged: its {keyword} card {said}", fix=_AGAIN) from error


def _value(header: memoryview, keyword: str) -> str | None:
    """Return the value of a short card as text; sizes are needed before the header can be trusted enough to parse."""
    wanted = f"{keyword:<8}=".encode()
    for at in range(0, len(header), CARD):
        if header[at : at + 9] == wanted:
            text = bytes(header[at + 10 : at + CARD]).decode("ascii")
            quoted = re.match(r"\s*'((?:[^']|'')*)'", text)
            return quoted[1].strip() if quoted else text.partition("/")[0].strip()
    return None


def _standard_cards(header: bytes) -> bytes:
    """Return a header without the cards that have neither value nor commentary, over which astropy would stumble."""
    cards = [header[at : at + CARD] for at in range(0, len(header), CARD)]
    return b"".join(card for card in cards if card[8:10] == b"= " or card[:8].rstrip() in _WITHOUT_VALUE)


def _refuse_damaged(hdus: Sequence[tuple[memoryview, memoryview]], path: Path) -> None:
    """Compare headers and data (with padding) with their checksum cards."""
    have_checksum = [bool(_value(header, "CHECKSUM")) for header, _ in hdus]
    for index, (header, data) in enumerate(hdus):
        where = f"{path} HDU {index}"
        if any(have_checksum) and not have_checksum[index] and _value(header, "DATASUM"):
            raise RawFileError(f"{where} is damaged: it has a DATASUM card but its CHECKSUM card is lost", fix=_RECHECK)
        _verify(header, data, where)


def _verify(header: memoryview, data: memoryview, where: str) -> None:
    stored = _value(header, "DATASUM")
    data_sum = ones_complement_sum(data)
    if stored and stored != str(data_sum):
        raise RawFileError(
            f"{where} is damaged: its data do not match its DATASUM card (the card says {stored}, the data {data_sum})",
            fix=_RECHECK,
        )
    if _value(header, "CHECKSUM") and ones_complement_sum(header, data_sum) != 0xFFFFFFFF:
        raise RawFileError(
            f"{where} is damaged: it does not match its CHECKSUM card, so it changed after it was written",
            fix=_RECHECK,
        )


def ones_complement_sum(block: memoryview, start: int = 0) -> int:
    """Return the 32-bit ones' complement sum of a block of big-endian words.

    References
    ----------
    .. [1] FITS standard 4.0, appendix J.
    """
    whole = len(block) // 4 * 4
    total = start + int(np.frombuffer(block[:whole], ">u4").sum(dtype=np.uint64))
    if whole < len(block):  # the last block of a file may lack its padding
        total += int.from_bytes(bytes(block[whole:]).ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total
