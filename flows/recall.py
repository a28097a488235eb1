"""Recalling calibrations: what it would mean, and marking them; `flows.redo` makes again what was made with them."""

from __future__ import annotations

from collections.abc import Sequence

from flows.repo import Repo, refuse_own_run
from flows.selection import find_datasets
from registry.errors import UserError
from registry.questions.recall import Recall
from registry.questions.whatif import View


def ask_recall(
    repo: Repo,
    what: Sequence[str],
    reason: str,
    *,
    with_derived: bool = False,
    collections: Sequence[str] = (),
) -> Recall:
    """Say what recalling calibrations would mean; nothing is changed.

    Parameters
    ----------
    what
        Runs (all their calibrations) and (short) ids.
    reason
        Kept with the event.
    with_derived
        Those made with them, too.
    collections
        Where replacements are looked for; as the settings say by default.

    Raises
    ------
    UnknownName, AmbiguousId
        If something is neither a run nor an id.
    UserError
        If something is no calibration, or a run holds none.
    """
    kinds = [name for name, kind in repo.butler.dataset_types().items() if kind.is_calibration]
    view = View(tuple(collections) or tuple(repo.settings.collections))
    refs = find_datasets(repo, what, kinds)
    return repo.butler.recall(refs, view, reason=reason, with_derived=with_derived)


def carry_out_recall(repo: Repo, answer: Recall, out_runs: Sequence[str] = ()) -> Recall:
    """Mark calibrations bad, as an answer said it would be; first look whether what is to be made again has a place.

    Raises
    ------
    UserError
        If there is no reason, or one of `out_runs` holds other work already; nothing is changed then.
    """
    is_begun = {row.ref.id for row in answer.already} >= {ref.id for ref in answer.recalled}
    there = {row.name for row in repo.butler.collections()}
    for run in out_runs:
        refuse_own_run(repo, run)
        if run in there and not is_begun:
            raise UserError(
                f"{run} exists already; what is made again goes into a run of its own", fix=f"--out {out_runs[0]}-2"
            )
    seq = repo.butler.mark(answer.recalled, "bad", reason=answer.reason).seq
    return answer.done(max((row.added_at for row in answer.already), default=None) if seq is None else seq)
