"""Policies for missing calibrations, in the words of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from flows.repo import Repo
from isrflow.quantum.types import CAMERA
from registry.errors import UserError
from registry.refs import Policy, PolicyWord
from registry.times import parse_duration


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What was decided; `event` is None if it was so already."""

    type: str
    policy: Policy
    event: int | None

    def render(self) -> str:
        """Return it as text."""
        told = f"where {self.type} is missing: {self.policy}"
        return f"{told} (event {self.event})" if self.event is not None else f"{told}, as it was already"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"type": self.type, **self.policy.to_dict(), "event": self.event}


def set_policy(repo: Repo, kind: str, word: PolicyWord, max_gap: str | None = None, *, reason: str) -> PolicyChange:
    """Decide what is done where a calibration type is missing.

    Parameters
    ----------
    kind
        The type.
    word
        ``error``, ``skip``, ``optional`` or ``nearest``.
    max_gap
        For ``nearest``: how far away it may be, ``7d``.
    reason
        For the event.

    Raises
    ------
    UserError
        If the words do not go together, no reason is given, or work is to be done without a camera.
    UnknownName, ConflictError
        If there is no such type, or it is no calibration.
    InvalidTime
        If `max_gap` is no length of time.
    """
    if word not in get_args(PolicyWord):
        raise UserError(f"'{word}' is not a policy; there is {', '.join(get_args(PolicyWord))}")
    if (word == "nearest") != (max_gap is not None):
        raise UserError(
            "nearest needs --max-gap, how far away it may be; other policies have no use for it",
            fix=f"isrflow policy set {kind} nearest --max-gap 7d --reason WHY",
        )
    if kind == CAMERA and word == "optional":
        raise UserError(
            "nothing can be corrected without a camera; it cannot be optional", fix="error, skip or nearest"
        )
    policy = Policy(word, None if max_gap is None else parse_duration(max_gap))
    repo.furnish()
    return PolicyChange(kind, policy, repo.butler.set_policy(kind, policy, reason=reason))


def list_policies(repo: Repo, as_of: str | None = None) -> list[dict[str, Any]]:
    """Return the policy of every calibration type, now or as of an event or a time, as plain rows."""
    moment = None if as_of is None else repo.butler.seq_of(as_of)
    return [
        {
            "type": row.type,
            "policy": str(row.policy),
            **row.policy.to_dict(),
            "decided": str(row.since) if row.since is not None else "by the type itself",
        }
        for row in repo.butler.policies(as_of=moment)
    ]
