"""Doing what was planned: clear up after crashes, record, run what is not done, ask the registry what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flows.engine import EngineChoice
from flows.execute import LOST, OnDone
from flows.outcome import UNFINISHED, OnProgress, Progress, RunReport, Trouble
from flows.plan import WorkPlan
from flows.repo import Repo
from isrflow.quantum.provenance import software
from isrflow.quantum.quantum import QuantumOutcome
from registry.owner import spoken
from registry.refs import QuantumRow

RunQuanta = Callable[[Sequence[QuantumRow], OnDone], None]
"""Runs quanta and calls back with the outcome of each, in the calling thread: an executor, or an engine around one."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The quanta of a plan as the registry has them when all is over, and how it had them when work began."""

    quanta: Sequence[QuantumRow] = ()
    n_done_before: int = 0
    remade: Sequence[str] = ()
    """Those done before that had lost a product, each with the reason."""

    def __add__(self, other: Carried) -> Carried:
        """Put two pieces of work together."""
        return Carried(
            [*self.quanta, *other.quanta],
            self.n_done_before + other.n_done_before,
            [*self.remade, *other.remade],
        )


def correct(
    repo: Repo,
    run_quanta: RunQuanta,
    engine: EngineChoice,
    on_progress: OnProgress | None,
    make_plan: Callable[[], WorkPlan],
) -> RunReport:
    """Clear up, plan, run and report: the body of every flow that corrects raws."""
    started = time.perf_counter()
    recovered = recover(repo)
    plan = make_plan()
    work = Carried()
    if plan.sources is not None and not plan.n_stale:  # a plan that will be refused costs no work
        work = carry_out(repo, plan.sources, run_quanta, on_progress)
        plan = plan.after(work.quanta)
    work += carry_out(repo, plan, run_quanta, counting_on(len(work.quanta), on_progress))
    recovered = "\n".join(filter(None, (recovered, tidy(repo, work.quanta))))
    return report_on(
        work,
        run=plan.run,
        engine=engine,
        started=started,
        missing=plan.missing,
        noted=plan.noted,
        by_policy=plan.by_policy,
        n_fallbacks=plan.n_fallbacks,
        recovered=recovered,
        places={"products": f"collection {plan.run} of {repo.root}"},
        next_steps=_next_steps(plan.run, work.quanta),
    )


def recover(repo: Repo) -> str:
    """Clear up what earlier crashes left, and return the explanation; empty if they left nothing."""
    report = repo.butler.recover()
    return report.render() if report.leftovers else ""


def tidy(repo: Repo, quanta: Sequence[QuantumRow]) -> str:
    """Clear up after workers that died or were killed in this very run, and return the explanation."""
    return recover(repo) if any(row.error_kind in LOST for row in quanta if row.state == "failed") else ""


def carry_out(repo: Repo, plan: WorkPlan, run_quanta: RunQuanta, on_progress: OnProgress | None = None) -> Carried:
    """Record a plan and run those of its quanta that are not done.

    Raises
    ------
    ConflictError
        If products in the run were made of other inputs or settings; nothing is recorded then.
    """
    repo.furnish()
    repo.butler.register_collection(plan.run, "RUN")
    repo.butler.bind_run(plan.run, plan.context)
    rows = repo.butler.plan(
        plan.run,
        plan.specs,
        config=plan.config,
        software=software(),
        skipped=plan.skipped,
        retry_failed=plan.retry_failed,
    )
    todo = [row for row in rows if row.state in {"planned", "leased"}]
    finished = failed = 0

    def on_done(outcome: QuantumOutcome) -> None:
        nonlocal finished, failed
        finished += 1
        failed += outcome.state == "failed"
        if on_progress is not None:
            on_progress(Progress(finished, len(todo), failed, names[outcome.quantum_id]))

    names = {row.id: describe(row) for row in todo}
    if on_progress is not None:
        on_progress(Progress(0, len(todo)))
    if todo:
        run_quanta(todo, on_done)
    order = {row.id: index for index, row in enumerate(rows)}
    now = [row for row in repo.butler.quanta(plan.run) if row.id in order]
    return Carried(
        sorted(now, key=lambda row: order[row.id]),
        sum(row.state == "done" for row in rows),
        [f"{names[row.id]}: {row.reason}" for row in todo if row.state == "planned" and row.reason],
    )


def report_on(
    work: Carried,
    *,
    run: str,
    engine: EngineChoice,
    started: float,
    missing: str = "",
    noted: str = "",
    by_policy: str = "",
    n_fallbacks: int = 0,
    recovered: str = "",
    places: Mapping[str, str] | None = None,
    next_steps: Sequence[str] = (),
) -> RunReport:
    """Make the report of a run from the registry's own quanta.

    Parameters
    ----------
    started
        `time.perf_counter` at the beginning.
    """
    quanta = work.quanta
    failures = [_trouble(row) for row in quanta if row.state not in {"done", "skipped"}]
    skipped = [_trouble(row) for row in quanta if row.state == "skipped"]
    return RunReport(
        run=run,
        engine=engine.name,
        engine_reason=engine.reason,
        n_done=len(quanta) - len(failures) - len(skipped),
        n_already_done=work.n_done_before,
        n_failed=len(failures),
        n_skipped=len(skipped),
        failures=failures,
        skipped=skipped,
        remade=work.remade,
        missing=missing,
        noted=noted,
        by_policy=by_policy,
        n_fallbacks=n_fallbacks,
        recovered=recovered,
        seconds=time.perf_counter() - started,
        places=dict(places or {}),
        next_steps=tuple(next_steps),
    )


def counting_on(n_before: int, on_progress: OnProgress | None) -> OnProgress | None:
    """Return an observer that counts on from the quanta of work that was done before."""
    if on_progress is None:
        return None

    def tell(progress: Progress) -> None:
        on_progress(Progress(n_before + progress.done, n_before + progress.total, progress.failed, progress.what))

    return tell


def describe(row: QuantumRow) -> str:
    """Name a quantum in words."""
    return f"{row.task} of {row.data_id}"


def _next_steps(run: str, quanta: Sequence[QuantumRow]) -> list[str]:
    steps = []
    is_any_done = any(row.state == "done" for row in quanta)
    if is_any_done and run.startswith("night/"):
        steps.append(f"isrflow report {run.removeprefix('night/')}")
    if any(row.state == "failed" for row in quanta):
        steps.append(f"isrflow query quanta \"run = '{run}' and state = 'failed'\"")
    if is_any_done:
        steps.append(f"isrflow query datasets \"run = '{run}' and type = 'post_isr'\"")
    return steps


def _trouble(row: QuantumRow) -> Trouble:
    if row.state == "skipped":
        return Trouble(describe(row), "skipped", row.reason or "", row.short)
    if row.state == "failed":
        return Trouble(
            describe(row), row.error_kind or "error", row.error_message or "", row.short, retriable=row.retriable
        )
    holder = f"{spoken(row.worker)} is still at it" if row.worker else "it was never started"
    return Trouble(describe(row), UNFINISHED, holder, row.short)
