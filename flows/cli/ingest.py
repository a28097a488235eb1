"""``isrflow ingest``: raw files into the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import PANEL_NIGHT, JsonOption, RepoOption, example

Transfer = Literal["copy", "move", "link", "direct"]

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_NIGHT,
    epilog=example("isrflow ingest raws/*.fits", "isrflow ingest raws --transfer link"),
)
def ingest(
    *,
    paths: Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Raw files, or directories of them.")],
    transfer: Annotated[Transfer, typer.Option(help="Copy, move, hard-link, or leave in place (direct).")] = "copy",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Take the good files although others are refused.")
    ] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring raw files into the repository. The same file again is skipped; every refusal says why."""
    from flows.ingest import ingest_paths
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    with open_repo(repo) as opened, progress_bar("ingesting", quiet=as_json) as advance:
        report = ingest_paths(opened, paths, transfer=transfer, skip_bad=skip_bad, on_progress=advance)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code
