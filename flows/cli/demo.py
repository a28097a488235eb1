"""``isrflow demo``: a night from nothing to a report, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import PANEL_SINGLE, JsonOption, example

app = typer.Typer()


@app.command(rich_help_panel=PANEL_SINGLE, epilog=example("isrflow demo", "isrflow demo /tmp/mydemo"))
def demo(
    *,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where everything goes.")] = Path("demo"),
    small: Annotated[bool, typer.Option("--small", help="The tiny instrument: seconds instead of minutes.")] = False,
    engine: Annotated[
        Literal["prefect", "direct"], typer.Option(help="prefect brings a server of its own.")
    ] = "prefect",
    as_json: JsonOption = False,
) -> int:
    """Simulate an afternoon and a night, calibrate, process with Prefect, report; say what to try next."""
    from flows.demo import run_demo
    from flows.present.output import emit, say

    outcome = run_demo(directory, small=small, engine=engine)
    emit(outcome.to_dict(), as_json=as_json, text=lambda: say(outcome.render()))
    return outcome.exit_code
