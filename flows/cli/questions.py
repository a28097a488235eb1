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
