"""What an inspection of calibrations finds: each with what, where, why, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from registry.refs import DataId

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Products are wrong or missing; they may become so; worth knowing."""

RULES = {
    "GAP": "nothing is valid between two ranges of validity",
    "EDGE_IN_EXPOSURE": "a validity edge lies inside an exposure",
    "EDGE_IN_NIGHT": "a validity edge lies between the exposures of a night",
    "EDGE_FORECAST": "a validity edge lies at a time of day at which this instrument observes",
    "SHADOWED": "a collection that is searched earlier always has one, so this is never chosen",
    "NEVER_USED": "certified, but nothing was made with it",
    "MARKED_CERTIFIED": "recalled, but still certified: it is passed over, and leaves a hole",
    "OF_BAD_RAWS": "a master made of raws that were flagged since",
    "OF_RECALLED": "a master made with a calibration that was recalled since",
    "BEYOND_GAP": "products made with a fallback further away than the policy allows now",
    "FALLBACK_WITHOUT_POLICY": "products made with a fallback, but the type has no policy that allows one",
    "MIXED_RUNS": "the detectors of one exposure used calibrations of different runs",
}
"""Everything that is looked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    rule: str
    """A key of `RULES`."""
    severity: Severity
    what: str
    where: str
    why: str
    fix: str
    """The command to type next."""
    n: int = 1
    """How many things it is about."""
    data_ids: tuple[DataId, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity}: {self.rule} {self.what}, {self.where}: {self.why}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "next": self.fix,
            "n": self.n,
            "data_ids": [one.to_dict() for one in self.data_ids],
        }


@dataclass(frozen=True)
class Lint:
    """The answer of `lint`."""

    findings: tuple[Finding, ...]
    collections: Sequence[str]
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was looked at, and how many."""

    @property
    def worst(self) -> Severity | None:
        """The gravest severity; None if nothing was found."""
        return min((one.severity for one in self.findings), key=SEVERITIES.index, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "collections": list(self.collections),
            "looked_at": dict(self.counts),
            "worst": self.worst,
            "findings": [one.to_dict() for one in self.findings],
        }

    def render(self) -> str:
        """Return the answer as text, the gravest first."""
        seen = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        head = f"searched {', '.join(self.collections)}: {seen}"
        if not self.findings:
            return f"{head}\nnothing to complain of"
        numbers = {name: sum(one.severity == name for one in self.findings) for name in SEVERITIES}
        told = ", ".join(f"{number} {name}{'s' if number > 1 else ''}" for name, number in numbers.items() if number)
        lines = [head, told]
        for one in self.findings:
            lines += [str(one), f"  next: {one.fix}"]
        return "\n".join(lines)
