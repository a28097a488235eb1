"""What came of bringing in another repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.interop.contents import Left
from flows.outcome import ALL_OK, NOTHING_SUCCEEDED, PARTIAL


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something were new, and how many were here already."""

    new: int = 0
    known: int = 0

    def __str__(self) -> str:
        return f"{self.new} new" + (f", {self.known} here already" if self.known else "")


@dataclass(frozen=True)
class BroughtReport:
    """What was brought in, or would be, and what was left."""

    where: str
    counts: Mapping[str, Count]
    """``instruments``, ``exposures``, ``collections``, ``datasets of TYPE``, ``ranges of validity``, ``tags``."""
    left: Sequence[Left] = ()
    dry_run: bool = False
    next_steps: Sequence[str] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        """0 if all came, 2 if something was left, 3 if nothing came."""
        if not self.left:
            return ALL_OK
        datasets = [count for what, count in self.counts.items() if what.startswith("datasets")]
        return PARTIAL if any(count.new or count.known for count in datasets) else NOTHING_SUCCEEDED

    def render(self) -> str:
        """Return all of it as text."""
        head = f"{'would come' if self.dry_run else 'came'} from {self.where}:"
        lines = [head, *(f"  {what}: {count}" for what, count in self.counts.items())]
        if self.left:
            lines += ["left there:", *(f"  {one}" for one in self.left)]
        if self.dry_run:
            lines.append("dry run: nothing was stored, and no file was read")
        lines += ["next:", *(f"  {step}" for step in self.next_steps)] if self.next_steps else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "from": self.where,
            "dry_run": self.dry_run,
            "counts": {what: {"new": count.new, "known": count.known} for what, count in self.counts.items()},
            "left": [one.to_dict() for one in self.left],
            "next_steps": list(self.next_steps),
        }
