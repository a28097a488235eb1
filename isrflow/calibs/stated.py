"""What a calibration, or an exposure that serves as one, states in its header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def cards_of(calib: Any) -> Mapping[str, Any] | None:
    """Return the header of a calibration or exposure, or what its `getMetadata` returns; None if it has none."""
    info = getattr(calib, "info", None)
    header = getattr(getattr(calib, "exposure", calib), "header", None)
    if info is not None:
        return {**(header or {}), **info.metadata}
    if header is not None:
        return dict(header)
    metadata = getattr(calib, "getMetadata", None)
    return None if metadata is None else dict(metadata())


def stated_unit(calib: Any) -> str:
    """Return the unit a calibration or exposure states, in its header or its own; adu if neither."""
    stated = (cards_of(calib) or {}).get("LSST ISR UNITS")
    return str(stated or getattr(getattr(calib, "exposure", calib), "unit", "adu"))
