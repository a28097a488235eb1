"""What a file says, as one hash: not how or when it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from astropy.io import fits

from isrflow.frame.cards import content_lines
from isrflow.frame.fitsbytes import read_hdus

_FITS_OR_GZIP = (b"SIMPLE", b"\x1f\x8b")


def content_sha256(path: str | Path) -> str:
    """Return the hash of a file's content.

    For FITS: headers without volatile cards, and decoded pixels or table bytes, of every HDU. For other files (YAML,
    ECSV): all bytes.

    Raises
    ------
    RawFileError
        If a FITS file is truncated or broken.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(6)
        if not start.startswith(_FITS_OR_GZIP):
            return hashlib.sha256(start + file.read()).hexdigest()
    digest = hashlib.sha256()
    for hdu in read_hdus(path, verify=False):
        if hdu.is_compressed:
            header, pixels = _decompressed(path, hdu.index)
            digest.update(content_lines(header))
            digest.update(pixels)
        else:
            digest.update(content_lines(hdu.header.tostring().encode("ascii")))
            digest.update(hdu.data)
    return digest.hexdigest()


def _decompressed(path: Path, index: int) -> tuple[bytes, bytes]:
    with fits.open(path) as hdus:
        data = hdus[index].data
        pixels: bytes = data.astype(data.dtype.newbyteorder(">")).tobytes()
        return hdus[index].header.tostring().encode("ascii"), pixels
