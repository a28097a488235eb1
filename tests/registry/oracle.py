"""What the registry should answer, worked out the slow way.

One dictionary for every instant, one copy for every event.
"""

from __future__ import annotations

from copy import deepcopy

NOTHING = None


class Oracle:
    """Validity as a table of (collection, key, instant) -> dataset, and a copy of it after every event."""

    def __init__(self, collections, keys, instants) -> None:
        self.now = {(c, key, t): NOTHING for c in collections for key in keys for t in instants}
        self.past = [deepcopy(self.now)]

    def certify(self, collection, key, dataset, span, mode) -> bool:
        """Do as `certify` should; return whether it is accepted."""
        span = [(collection, key, t) for t in range(*span)]
        taken = {self.now[one] for one in span} - {NOTHING}
        if (mode == "strict" and taken) or (mode == "idempotent" and taken - {dataset}):
            return False
        before = dict(self.now)
        for one in span:
            if mode in {"replace", "strict"} or self.now[one] is NOTHING:
                self.now[one] = dataset
        self._log(before)
        return True

    def decertify(self, collection, key, dataset, span) -> None:
        before = dict(self.now)
        for t in range(*span):
            if self.now[collection, key, t] == dataset:
                self.now[collection, key, t] = NOTHING
        self._log(before)

    def resolve(self, path, key, t, as_of, dead=frozenset()):
        """Return (dataset, collection) at an instant.

        A string in the path is a collection, a pair a run's (name, {key: dataset}).
        """
        table = self.past[as_of]
        for step in path:
            if isinstance(step, tuple):
                name, held = step
                found = held.get(key)
            else:
                name, found = step, table[step, key, t]
            if found is not NOTHING and found not in dead:
                return found, name
        return None

    def _log(self, before) -> None:
        if before != self.now:
            self.past.append(deepcopy(self.now))
