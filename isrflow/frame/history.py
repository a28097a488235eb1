"""What was done to an exposure: one entry a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of the recipe, as it was run."""

    step: str
    """Field name in the recipe."""
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The step's configuration where it differs from the defaults."""
    calibrations: Mapping[str, str] = field(default_factory=dict)
    """Calibration kind to its identity (id or content hash, as known)."""

    def card(self) -> str:
        """Return the entry as one short line for a HISTORY card."""
        settings = " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.step} ({self.seconds:.3f} s)" + (f" {settings}" if settings else "")
