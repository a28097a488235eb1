"""What flags and corrected headers did, or would do, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from registry.dimensions import ExposureRecord
from registry.refs import DataId
from registry.sql.flags import Flagged
from registry.sql.header_corrections import Change, Corrected
from registry.sql.made_of import Made
from registry.sql.noted_targets import spell
from registry.times import format_time

SHOWN = 20
"""Of how many places alike the text tells; JSON has them all."""


@dataclass(frozen=True, slots=True)
class FlagReport:
    """What flagging did, and what had been made of the raws before."""

    deed: str
    done: Flagged
    made: Sequence[Made] = ()
    nights: Sequence[int] = ()
    is_dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "event": self.done.seq,
            "changed": [one.to_dict() for one in self.done.changed],
            "unchanged": [one.to_dict() for one in self.done.unchanged],
            "made_before": [one.to_dict() for one in self.made],
            "is_dry_run": self.is_dry_run,
        }

    def render(self) -> str:
        """Say what was done, and what to do next."""
        lines = _deeds(self.deed, self.done, is_dry_run=self.is_dry_run)
        if self.made:
            lines += [f"made of them before, and still there: {'; '.join(one.render() for one in self.made)}"]
            again = _build_again(self.made, self.nights)
            lines += ["next:", *again] if again else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class HeaderReport:
    """What correcting a card did, or would do: in headers, in exposures, to what was made before."""

    keyword: str
    deed: str
    done: Corrected
    cards: Sequence[tuple[DataId, Any, Any]] = ()
    """Raw, what its card said before (None: it had none), and what it says now."""
    changes: Sequence[Change] = ()
    nights: Sequence[int] = ()
    is_dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "event": self.done.seq,
            "keyword": self.keyword,
            "changed": [one.to_dict() for one in self.done.changed],
            "unchanged": [one.to_dict() for one in self.done.unchanged],
            "cards": [{**one.to_dict(), "old": old, "new": new} for one, old, new in self.cards],
            "exposures": [
                {"exposure": old.id, "property": name, "old": was, "new": now}
                for old, new in self.changes
                for name, was, now in differences(old, new)
            ],
            "made_before": [one.to_dict() for one in self.done.made],
            "is_dry_run": self.is_dry_run,
        }

    def render(self) -> str:
        """Say what was done, and what to do next."""
        lines = _deeds(self.deed, self.done, is_dry_run=self.is_dry_run)
        told = [f"  {spell([one])}: {self.keyword} {_said(old)} -> {_said(new)}" for one, old, new in self.cards]
        lines += told[:SHOWN] + [f"  and {len(told) - SHOWN} more"] * (len(told) > SHOWN)
        if self.changes:
            lines += ["exposures change with it:"]
            told = [
                f"  exposure {old.id}: {', '.join(f'{word(n)} {shown(n, a)} -> {shown(n, b)}' for n, a, b in diff)}"
                for old, new in self.changes
                for diff in [differences(old, new)]
            ]
            lines += told[:SHOWN] + [f"  and {len(told) - SHOWN} more"] * (len(told) > SHOWN)
        if self.done.made:
            lines += [f"made with the header as it was: {'; '.join(one.render() for one in self.done.made)}"]
            again = _build_again(self.done.made, self.nights) + _correct_again(self.done.changed, self.done.made)
            lines += ["next:", *again]
        return "\n".join(lines)


def differences(old: ExposureRecord, new: ExposureRecord) -> list[tuple[str, Any, Any]]:
    """Return name, old and new value of the properties in which two records differ."""
    names = [item.name for item in fields(ExposureRecord)]
    return [(n, getattr(old, n), getattr(new, n)) for n in names if getattr(old, n) != getattr(new, n)]


def word(name: str) -> str:
    """Name a property in words; times are shown as texts, not in nanoseconds."""
    return name.removesuffix("_ns")


def shown(name: str, value: Any) -> str:
    """Write the value of a property for people."""
    return format_time(value) if name in {"begin_ns", "end_ns"} else str(value)


def _said(value: Any) -> str:
    return "(no card)" if value is None else repr(value)


def _deeds(deed: str, done: Flagged | Corrected, *, is_dry_run: bool) -> list[str]:
    event = f" (event {done.seq})" if done.seq is not None else ""
    lines = []
    if done.changed:
        would = "would be " if is_dry_run else ""
        lines.append(f"{would}{deed}{event}: {_many(done.changed)}")
    if done.unchanged:
        lines.append(f"nothing to do for {_many(done.unchanged)}")
    return lines


def _many(targets: Sequence[DataId]) -> str:
    if len(targets) > SHOWN:
        return f"{len(targets)} places, {spell(targets[:3])} and others"
    return spell(targets)


def _build_again(made: Sequence[Made], nights: Sequence[int]) -> list[str]:
    """Return the commands that make masters anew."""
    kinds = " ".join(sorted({one.type for one in made if one.is_calibration}))
    runs = sorted({one.run for one in made if one.is_calibration})
    return [f"  isrflow calibs build {kinds} --night {nights[0]} --out {run}-mended" for run in runs[:1]]


def _correct_again(targets: Sequence[DataId], made: Sequence[Made]) -> list[str]:
    """Return the commands that make products anew."""
    numbers = ", ".join(map(str, sorted({one.exposure for one in targets if one.exposure is not None})[:SHOWN]))
    runs = [one.run for one in sorted(made, key=lambda one: -one.number) if not one.is_calibration]
    return [f'  isrflow reprocess "exposure in ({numbers})" --out {run}-mended' for run in runs[:1]]
