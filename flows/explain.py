"""Explaining choices and conflicts of calibrations, in the words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.certify import find_calibs, span_of
from flows.repo import CALIBS, Repo
from registry.errors import UserError

if TYPE_CHECKING:
    from registry.explain_certify import CertifyExplanation
    from registry.explanation import Explanation


def explain_choice(
    repo: Repo,
    what: Sequence[str],
    collections: Sequence[str] | None = None,
    *,
    as_of: str | None = None,
    context: str | None = None,
) -> Explanation:
    """Explain which calibration an exposure gets.

    Parameters
    ----------
    what
        Id of the exposure, id or name of the detector, type.
    collections
        Where to look; else as the repository does.
    as_of
        Event or time.
    context
        A frozen context, instead of both.

    Raises
    ------
    UserError
        If it is not three words, the first a number.
    """
    if len(what) != 3 or not what[0].isdecimal():
        raise UserError(
            f"explain takes an exposure, a detector and a type, not {' '.join(what)}",
            fix="isrflow explain 20260301005 2 flat",
        )
    exposure, detector, kind = what
    number = repo.camera.detector(int(detector) if detector.isdecimal() else detector).id
    moment = None if as_of is None else repo.butler.seq_of(as_of)
    where = tuple(collections or (() if context is not None else repo.settings.collections))
    return repo.butler.explain(int(exposure), number, kind, where, as_of=moment, context=context)


def explain_certification(
    repo: Repo,
    what: Sequence[str],
    begin: str | None,
    end: str | None = None,
    *,
    collection: Sequence[str] | None = None,
) -> CertifyExplanation:
    """Explain what is in the way of a certification, and what each mode would do about it; nothing is changed.

    Raises
    ------
    UserError
        If it does not say of what or from when.
    """
    if not what or begin is None:
        raise UserError(
            "say what shall be certified, and from when",
            fix="isrflow explain certify calibs/20260301 --begin 20260301",
        )
    home = next(iter(collection or ()), CALIBS)
    return repo.butler.explain_certify(home, find_calibs(repo, what), span_of(repo, begin, end))
