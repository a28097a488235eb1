"""What was made with it, what differs, what would change: impact and its sisters."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import PANEL_LOOK, JsonOption, RepoOption, example

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow impact calibs/20260301", "isrflow impact 1a2b3c4d --json"),
)
def impact(
    *,
    what: Annotated[list[str], typer.Argument(metavar="RUN|DATASET...", help="Calibrations, raws, or all of a run.")],
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say what was made with a calibration, a raw or a run: products, masters, what those touched, CPU to redo it."""
    from flows.present.output import emit, say
    from flows.questions import ask_impact
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        found = ask_impact(opened, what)
    emit(found.to_dict(), as_json=as_json, text=lambda: say(found.render()))
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow diff night/20260301 try/order3", "isrflow diff calibs/20260301 calibs/20260302 --json"),
)
def diff(
    *,
    before: Annotated[str, typer.Argument(metavar="RUN", help="A run.")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare it with.")],
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say why the products of two runs differ: calibrations, settings, software, inputs, in as few lines as it takes.

    Quanta of the same task and data id are compared; two datasets of the same content are the same.
    """
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        found = opened.butler.diff(before, after)
    emit(found.to_dict(), as_json=as_json, text=lambda: say(found.render()))
    return 0
