"""The world coordinates a raw header states, if it states any that can be used."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from typing import Any

from astropy.io import fits

_log = logging.getLogger(__name__)
_CARDS = re.compile(
    r"WCSAXES|(CTYPE|CRPIX|CRVAL|CUNIT|CDELT|CROTA)[12]|(CD|PC)[12]_[12]|P[VS][12]_\d+|LONPOLE|LATPOLE|RADESYS|EQUINOX"
    r"|(A|B|AP|BP)_(ORDER|\d+_\d+)"
)


def wcs_of(header: Mapping[str, Any], where: str) -> Any:
    """Return the `astropy.wcs.WCS` of a raw image's own pixels, or None.

    Parameters
    ----------
    header
        Card name to value.
    where
        The file, for the log: coordinates that cannot be used are a warning, for the pixels are still good.
    """
    types = [str(header.get(f"CTYPE{axis}", "")) for axis in (1, 2)]
    if not all(re.match(r"(RA|DEC|GLON|GLAT|ELON|ELAT)-", kind) for kind in types):
        return None
    from astropy.wcs import WCS

    cards = {card: value for card, value in header.items() if _CARDS.fullmatch(card)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy mends old conventions, and says so for each of them
            return WCS(fits.Header(cards), naxis=2)
    except (ValueError, TypeError, MemoryError) as error:  # wcslib's errors derive from these
        _log.warning("%s: the coordinates in the header cannot be used: %s", where, str(error).splitlines()[0])
        return None
