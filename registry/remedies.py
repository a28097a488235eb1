"""How to come by a calibration that is not there: the command to type."""

from __future__ import annotations

MADE_OF_RAWS = frozenset({"bias", "dark", "flat", "defects"})
"""Types `isrflow calibs build` makes; all others are brought in as files."""


def obtain(dataset_type: str, night: int) -> str:
    """Return the command that makes calibrations of a type of a night's raws, or brings them in."""
    if dataset_type in MADE_OF_RAWS:
        return f"isrflow calibs build {dataset_type} --night {night}"
    return f"isrflow calibs import {dataset_type} FILES"
