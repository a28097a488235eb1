"""Making datasets again of what was recorded: one, a sample, or all of a run; every verdict is kept in the registry."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flows.execute import open_executor
from flows.night import resolve_day
from flows.outcome import ALL_OK, NOTHING_SUCCEEDED, PARTIAL, OnProgress, Progress
from flows.replay_one import Replayed, replay_outputs
from flows.repo import Repo
from flows.settings import worker_count
from isrflow.quantum.environment import environment
from registry.errors import UserError
from registry.refs import DatasetRef

VERDICTS = ("reproduced", "differs", "impossible")
_FEW = 3
"""So many quanta are done here: starting workers would take longer."""

Order = tuple[int, tuple[UUID, ...]]
"""A quantum, and those of its products that are compared; none means all."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What came of making datasets again."""

    results: tuple[Replayed, ...]
    of_quanta: int = 0
    """Of how many quanta these were chosen."""

    @property
    def counts(self) -> dict[str, int]:
        """How many datasets there are of each verdict."""
        found: Counter[str] = Counter(result.verdict for result in self.results)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def rate(self) -> float | None:
        """The part that was reproduced, of what could be tried; None if nothing could."""
        tried = self.counts["reproduced"] + self.counts["differs"]
        return self.counts["reproduced"] / tried if tried else None

    @property
    def exit_code(self) -> int:
        """0 if all were reproduced, 2 if some, 3 if none."""
        n_good = self.counts["reproduced"]
        return ALL_OK if n_good == len(self.results) else PARTIAL if n_good else NOTHING_SUCCEEDED

    @property
    def headline(self) -> str:
        """The counts in one line."""
        words = ", ".join(f"{number} {verdict}" for verdict, number in self.counts.items() if number)
        rate = "" if self.rate is None else f": {100 * self.rate:.4g} % of what could be tried"
        return f"{len(self.results)} dataset(s) made again, {words}{rate}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "counts": self.counts,
            "rate": self.rate,
            "of_quanta": self.of_quanta,
            "exit_code": self.exit_code,
            "results": [result.to_dict() for result in self.results],
        }

    def render(self) -> str:
        """Return the report as text: what was not reproduced at length, and the counts."""
        if len(self.results) == 1:
            return self.results[0].render()
        bad = [result.render() for result in self.results if result.verdict != "reproduced"]
        return "\n".join([*bad, self.headline])


def replay_datasets(
    repo: Repo, refs: Sequence[DatasetRef], *, workers: int | None = None, on_progress: OnProgress | None = None
) -> ReplayReport:
    """Make datasets again and compare them with what is registered.

    Raises
    ------
    UserError
        If some were made by no quantum; all are listed.
    """
    made = repo.butler.makers(refs)
    strangers = [str(ref) for ref in refs if ref.id not in made]
    if strangers:
        raise UserError(
            f"made by no quantum of this registry, so there is nothing to do again: {'; '.join(strangers)}",
            fix="isrflow verify --full",
        )
    orders: dict[int, list[UUID]] = defaultdict(list)
    for ref in refs:
        orders[made[ref.id]].append(ref.id)
    return _replay(repo, [(row, tuple(ids)) for row, ids in orders.items()], workers, on_progress)


def replay_sample(
    repo: Repo,
    number: int | None,
    *,
    run: str | None = None,
    day_obs: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> ReplayReport:
    """Make the products of quanta chosen by chance again.

    Parameters
    ----------
    number
        How many quanta; None is all.
    run, day_obs
        Only those of a run, or of the exposures of an observing day.
    seed
        The same one makes the same choice.
    workers
        Processes; as the repository's settings say by default.

    Raises
    ------
    UserError
        If no quantum of these is done.
    """
    there = repo.butler.done_quanta(run, day_obs)
    if not there:
        chosen_by = [f"of run {run}"] * bool(run) + [f"of night {day_obs}"] * (day_obs is not None)
        where = " ".join(chosen_by) or "of this repository"
        raise UserError(f"no quantum {where} is done, so nothing can be made again", fix="isrflow query collections")
    chance = random.Random(seed)  # noqa: S311 - a choice, not a secret
    chosen = there if number is None or number >= len(there) else sorted(chance.sample(there, number))
    return _replay(repo, [(row, ()) for row in chosen], workers, on_progress, of_quanta=len(there))


def replay_chosen(
    repo: Repo,
    names: Sequence[str],
    *,
    number: int | None = None,
    run: str | None = None,
    night: str | None = None,
    seed: int | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> ReplayReport:
    """Make datasets named by (short) ids again, or those of quanta that are chosen; refusals as for either."""
    if names:
        refs = [repo.butler.resolve_id(name) for name in names]
        return replay_datasets(repo, refs, workers=workers, on_progress=on_progress)
    day_obs = None if night is None else resolve_day(repo, night)
    return replay_sample(repo, number, run=run, day_obs=day_obs, seed=seed, workers=workers, on_progress=on_progress)


def replay_quantum(repo: Repo, order: Order) -> list[Replayed]:
    """Make the products of one quantum again; what workers call."""
    quantum_id, wanted = order
    inputs = repo.butler.inputs(quantum_id)
    outputs = [ref for ref in repo.butler.outputs(quantum_id).values() if not wanted or ref.id in wanted]
    return replay_outputs(repo.butler, inputs, sorted(outputs, key=lambda ref: ref.type))


def _replay(
    repo: Repo, orders: Sequence[Order], workers: int | None, on_progress: OnProgress | None, of_quanta: int = 0
) -> ReplayReport:
    results: list[Replayed] = []
    n_over = n_bad = 0

    def on_done(order: Order, found: list[Replayed] | str) -> None:
        nonlocal n_over, n_bad
        some = _lost(repo, order, found) if isinstance(found, str) else found
        results.extend(some)
        n_over += 1
        n_bad += any(result.verdict != "reproduced" for result in some)
        if on_progress is not None:
            on_progress(Progress(n_over, len(orders), n_bad, str(some[0].ref) if some else ""))

    with open_executor(
        repo, worker_count(repo.settings, workers), "inline" if len(orders) <= _FEW else None
    ) as executor:
        executor.each(replay_quantum, orders, on_done)
    results.sort(key=lambda result: (result.ref.run, result.ref.data_id, result.ref.type))
    if not repo.butler.read_only:
        kept = [(result.ref.id, result.verdict, _detail(result)) for result in results]
        repo.butler.record_replays(kept, environment())
    return ReplayReport(tuple(results), of_quanta or len(orders))


def _lost(repo: Repo, order: Order, why: str) -> list[Replayed]:
    """Return the verdicts of a quantum whose worker died."""
    outputs = repo.butler.outputs(order[0]).values()
    return [Replayed(ref, "impossible", (why,)) for ref in outputs if not order[1] or ref.id in order[1]]


def _detail(result: Replayed) -> dict[str, Any]:
    return {name: value for name, value in result.to_dict().items() if name in ("reasons", "differences", "remarks")}
