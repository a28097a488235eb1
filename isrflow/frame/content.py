"""What a file says, as one hash: not how or when it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from astropy.io import fits

from isrflow.frame.cards import content_lines
from isrflow.frame.compress import header_of_image
from isrflow.frame.fitsbytes import HduBytes, read_hdus
from isrflow.frame.tiles import decode_integers

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
            digest.update(content_lines(header_of_image(hdu.header)))
            digest.update(_decompressed(path, hdu))
        else:
            digest.update(content_lines(hdu.header.tostring().encode("ascii")))
            digest.update(hdu.data)
    return digest.hexdigest()


def _decompressed(path: Path, hdu: HduBytes) -> memoryview:
    """Return the pixels as an uncompressed file would hold them."""
    data = decode_integers(hdu)
    if data is None:
        with fits.open(path, do_not_scale_image_data=True) as hdus:
            data = hdus[hdu.index].data
    return np.ascontiguousarray(data, data.dtype.newbyteorder(">")).reshape(-1).view(np.uint8).data
