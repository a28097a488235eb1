"""``isrflow explain``: why this calibration, why not that one; why it cannot be certified."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.calibs import BEGIN, EndOption
from flows.cli.options import PANEL_LOOK, AsOfOption, ContextOption, JsonOption, RepoOption, example

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow explain 20260301005 2 flat",
        "isrflow explain 20260301005 2 flat --as-of 2026-03-10",
        "isrflow explain certify calibs/20260301 --begin 20260301",
    ),
)
def explain(
    *,
    what: Annotated[
        list[str],
        typer.Argument(metavar="EXPOSURE DETECTOR TYPE | certify RUN|DATASET...", help="What is to be explained."),
    ],
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", help="Where to look (or certify) instead of the repository's chain."),
    ] = None,
    as_of: AsOfOption = None,
    context: ContextOption = None,
    begin: Annotated[str | None, BEGIN] = None,
    end: EndOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say why this calibration was chosen, why the others were not, and what would mend it.

    With certify: what is in the way of a certification, who put it there, and what each mode would do about it.
    """
    from flows.explain import explain_certification, explain_choice
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        answer = (
            explain_certification(opened, what[1:], begin, end, collection=collection)
            if what[0] == "certify"
            else explain_choice(opened, what, collection, as_of=as_of, context=context)
        )
    emit(answer.to_dict(), as_json=as_json, text=lambda: say(answer.render()))
    return 0
