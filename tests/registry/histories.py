"""What the registry should answer after any history, worked out the slow way: a copy of the world for every event.

Shares no code with the resolver: validity is a dictionary of (collection, key, instant), a search path is opened by
recursion, and the nearest is found by looking at every instant.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field


@dataclass
class State:
    """The world at one moment. A key is (detector, filter), a dataset a number."""

    valid: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    """Run or tag to {key: dataset}."""
    chains: dict = field(default_factory=dict)
    marks: set = field(default_factory=set)
    """(dataset, kind)"""
    policy: tuple = ("error", None)


class Ledger:
    """The state now, and a copy as of every event."""

    def __init__(self, long: int) -> None:
        self.now = State()
        self.past: dict[int, State] = {}
        self.gone: set[int] = set()
        """Datasets whose files are gone now; the past does not know."""
        self.long = long

    def note(self, seq: int) -> None:
        """Keep the state as that of the newest event, which lasts until the next one."""
        self.past[seq] = deepcopy(self.now)

    def certify(self, collection, key, dataset, span, mode) -> bool:
        """Do as `certify` should; return whether it is accepted."""
        cells = [(collection, key, t) for t in range(*span)]
        taken = {self.now.valid[one] for one in cells if one in self.now.valid}
        if (mode == "strict" and taken) or (mode == "idempotent" and taken - {dataset}):
            return False
        for one in cells:
            if mode != "fill-gaps" or one not in self.now.valid:
                self.now.valid[one] = dataset
        return True

    def decertify(self, collection, key, dataset, span) -> None:
        for t in range(*span):
            if self.now.valid.get((collection, key, t)) == dataset:
                del self.now.valid[collection, key, t]

    def opened(self, names, state: State) -> list[str]:
        """Open chains, each collection at its first place."""
        path: list[str] = []
        for name in names:
            below = self.opened(state.chains[name], state) if name in state.chains else [name]
            path += [one for one in below if one not in path]
        return path

    def resolve(self, names, key, t, seq=None, policy=None):
        """Return (dataset, collection, kind, gap), or None; `seq` is an event, None is now."""
        state = self.now if seq is None else self.past[seq]
        path = self.opened(names, state)
        found = self.at(path, key, t, seq)
        if found is not None:
            return (*found, 0)
        word, max_gap = policy or state.policy
        if word != "nearest":
            return None
        dead = self.dead(seq)
        for home in path:
            near = []
            for other in range(self.long):
                dataset = state.valid.get((home, key, other))
                if dataset is not None and dataset not in dead:
                    near.append((t - other - 1, 0, dataset) if other < t else (other - t, 1, dataset))
            if near and min(near)[0] <= max_gap:
                return min(near)[2], home, "nearest", min(near)[0]
        return None

    def at(self, path, key, t, seq):
        """Return (dataset, collection, kind) of what is valid at an instant."""
        state, dead = self.now if seq is None else self.past[seq], self.dead(seq)
        for home in path:
            always = state.members.get(home, {}).get(key)
            if always is not None and always not in dead:
                return always, home, "always"
            dataset = state.valid.get((home, key, t))
            if dataset is not None and dataset not in dead:
                return dataset, home, "valid"
        return None

    def dead(self, seq) -> set[int]:
        """Return the datasets that are not handed out."""
        if seq is None:
            return {dataset for dataset, _ in self.now.marks} | self.gone
        return {dataset for dataset, _ in self.past[seq].marks}
