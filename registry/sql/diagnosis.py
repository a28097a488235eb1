"""The one reason to report for each calibration that was not found, and its neighbours in time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from registry.resolution import REASONS, Neighbour
from registry.sql.candidates import Candidate, CandidateScope, Wanted, failures, load_candidates, nearness
from registry.sql.dataset_types import TypeRow
from registry.sql.standpoint import Standpoint
from registry.sql.targets import Target
from registry.timespan import Timespan


@dataclass(frozen=True, slots=True)
class Finding:
    """Why there is no match: a key of `REASONS`, in words, and what would fit at another time."""

    reason: str
    detail: str
    uncertified_run: str | None
    """The run of a dataset that lacks nothing but a certification."""
    before: Neighbour | None
    after: Neighbour | None


_Who = tuple[int, int | None]
"""instrument_id, detector number"""


class Diagnosis:
    """Diagnoses of one dataset type for many targets, from candidates that are fetched once.

    Between two neighbouring validity edges the answer is the same, so it is worked out once for each such piece of
    time.
    """

    def __init__(
        self,
        connection: Connection,
        type_row: TypeRow,
        targets: Iterable[Target],
        stand: Standpoint,
        without: Collection[UUID] = (),
    ) -> None:
        self._type = type_row.type
        self._stand = stand
        self._candidates: defaultdict[_Who, list[Candidate]] = defaultdict(list)
        groups: defaultdict[int, list[Target]] = defaultdict(list)
        for target in targets:
            groups[target.instrument_id].append(target)
        for instrument_id, group in groups.items():
            detectors = sorted({target.key(self._type)[0] for target in group})
            window = Timespan(min(one.mid_ns for one in group), max(one.mid_ns for one in group) + 1)
            by_mode = type_row.type.matches_mode
            scope = CandidateScope(type_row.id, instrument_id, detectors, window, stand.as_of, by_mode)
            for candidate in load_candidates(connection, scope, stand.path):
                if candidate.ref.id not in without:
                    self._candidates[instrument_id, candidate.ref.data_id.detector].append(candidate)
        self._edges = {who: _edges(candidates) for who, candidates in self._candidates.items()}
        self._known: dict[tuple[_Who, str | None, str | None, int], tuple[str, str, str | None, list[Candidate]]] = {}

    def of(self, target: Target) -> Finding:
        """Return why a target has no match."""
        who = (target.instrument_id, target.data_id.detector if "detector" in self._type.dimensions else None)
        filter_name = target.filter_name if "physical_filter" in self._type.dimensions else None
        mode = target.mode if self._type.matches_mode else None
        wanted = Wanted(target.mid_ns, filter_name, self._stand.names, self._stand.as_of, mode)
        piece = (who, filter_name, mode, bisect_right(self._edges.get(who, []), target.mid_ns))
        if piece not in self._known:
            self._known[piece] = self._reason(self._candidates.get(who, []), wanted)
        reason, detail, uncertified_run, elsewhen = self._known[piece]
        return Finding(reason, detail, uncertified_run, *neighbours(elsewhen, target.mid_ns))

    def _reason(self, candidates: Sequence[Candidate], wanted: Wanted) -> tuple[str, str, str | None, list[Candidate]]:
        """Return reason, detail, the run that only waits to be certified, and the candidates of other times."""
        told = [(candidate, failures(candidate, wanted)) for candidate in candidates]
        elsewhen = [candidate for candidate, failed in told if list(failed) == ["GAP"]]
        if not candidates:
            return "NEVER_CERTIFIED", f"there is no {self._type.name} for it at all", None, []
        nearest = min(candidates, key=lambda candidate: nearness(candidate, wanted))
        failed = failures(nearest, wanted)
        reason = next(iter(failed))
        detail = REASONS["GAP"] if list(failed) == ["GAP"] else "; ".join(failed.values())
        uncertified_run = nearest.ref.run if list(failed) == ["NEVER_CERTIFIED"] else None
        if uncertified_run is not None:
            detail = f"it was made (run {uncertified_run}) but is certified nowhere"
        others = sorted({c.collection for c, f in told if list(f) == ["COLLECTION_NOT_IN_PATH"] and c.collection})
        if others and reason != "COLLECTION_NOT_IN_PATH":
            detail += f" (there is one in {', '.join(others)}, not searched)"
        return reason, detail, uncertified_run, elsewhen


def neighbours(candidates: Iterable[Candidate], instant_ns: int) -> tuple[Neighbour | None, Neighbour | None]:
    """Return the candidates whose validity ends last before an instant, and begins first after it."""
    there = list(candidates)
    before = max((c for c in there if c.span.end_ns <= instant_ns), key=lambda c: c.span.end_ns, default=None)
    after = min((c for c in there if c.span.begin_ns > instant_ns), key=lambda c: c.span.begin_ns, default=None)
    return (
        _neighbour(before, instant_ns - before.span.end_ns) if before else None,
        _neighbour(after, after.span.begin_ns - instant_ns) if after else None,
    )


def _neighbour(candidate: Candidate, distance_ns: int) -> Neighbour:
    """Describe a candidate as a neighbour."""
    return Neighbour(candidate.ref.id, candidate.collection or "", candidate.span, distance_ns)


def _edges(candidates: Iterable[Candidate]) -> list[int]:
    """Return all instants at which the answer could change, in order."""
    return sorted({edge for c in candidates for edge in (c.span.begin_ns, c.span.end_ns)})
