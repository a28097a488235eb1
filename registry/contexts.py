"""What a frozen context is: where to search, as of when, by which policies, and the hash to cite it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.refs import Policy
from registry.times import format_tai, format_time


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A frozen context: its collections in order, chains opened, the event it looks from, and its hash."""

    name: str
    event_seq: int
    path: tuple[str, ...]
    kinds: tuple[str, ...]
    """The kind of each collection of the path."""
    policies: Mapping[str, Policy]
    """Where the repository had decided; a type's own policy else."""
    sha256: str
    doc: str
    owner: str
    created_ns: int

    @property
    def cited(self) -> str:
        """How to cite it."""
        return f"{self.name} (sha256 {self.sha256})"

    def render(self) -> str:
        """Return the context as text."""
        lines = [f"context {self.name}: {self.doc}" if self.doc else f"context {self.name}"]
        lines += [f"  sha256 {self.sha256}", f"  as of event {self.event_seq}"]
        lines.append(f"  frozen {format_time(self.created_ns)} = {format_tai(self.created_ns)} by {self.owner}")
        lines += [f"  {place}. {name} ({kind})" for place, (name, kind) in enumerate(zip(self.path, self.kinds), 1)]  # noqa: B905 - of one length
        lines += [f"  where {name} is missing: {policy}" for name, policy in sorted(self.policies.items())]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "event": self.event_seq,
            "collections": [{"name": name, "kind": kind} for name, kind in zip(self.path, self.kinds, strict=True)],
            "policies": {name: policy.to_dict() for name, policy in sorted(self.policies.items())},
            "doc": self.doc,
            "owner": self.owner,
            "frozen": format_time(self.created_ns),
        }
