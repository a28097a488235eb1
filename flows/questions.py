"""Questions in the words of the command line: runs and short ids become datasets, nights become data ids."""

from __future__ import annotations

from collections.abc import Sequence

from flows.repo import Repo
from registry.errors import UnknownName, UserError
from registry.questions.impact import Impact
from registry.refs import DatasetRef

_SHORTEST_ID = 4


def ask_impact(repo: Repo, what: Sequence[str]) -> Impact:
    """Say what was made with datasets, or with all that runs hold.

    Raises
    ------
    UnknownName, AmbiguousId
        If something is neither a run nor a (short) id.
    UserError
        If a run holds nothing.
    """
    return repo.butler.impact(find_datasets(repo, what))


def find_datasets(repo: Repo, what: Sequence[str], types: Sequence[str] | None = None) -> list[DatasetRef]:
    """Return what runs hold, of these types, and ids name; errors as for `ask_impact`."""
    runs = {row.name for row in repo.butler.collections() if row.kind == "RUN"}
    refs: list[DatasetRef] = []
    for text in what:
        if text in runs:
            found = repo.butler.datasets("status != 'STAGED'", type=types, collections=[text])
            if not found:
                kinds = f"of type {', '.join(types)} " if types is not None and len(types) < 4 else ""
                raise UserError(f"run {text} holds nothing {kinds}", fix=f"isrflow query datasets \"run = '{text}'\"")
            refs += found
        elif len(text) >= _SHORTEST_ID and not set(text.lower()) - set("0123456789abcdef-"):
            refs.append(repo.butler.resolve_id(text))
        else:
            raise UnknownName(kind="run", name=text, known=sorted(runs), fix="isrflow query collections")
    return list({ref.id: ref for ref in refs}.values())
