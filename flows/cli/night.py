"""``isrflow night``: everything a night of raws needs, in one command."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows.cli.options import (
    PANEL_NIGHT,
    ConfigOption,
    DryRunOption,
    JsonOption,
    RepoOption,
    SetOption,
    WithoutOption,
    WorkersOption,
    example,
    recipe_layer,
)

app = typer.Typer()

Engine = Literal["auto", "prefect", "direct"]

EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="auto: Prefect if a server is configured or `isrflow up` runs one, else direct."),
]


@app.command(
    rich_help_panel=PANEL_NIGHT,
    epilog=example("isrflow night 20260301", "isrflow night last --dry-run", "isrflow night last --engine direct"),
)
def night(
    *,
    day: Annotated[str, typer.Argument(metavar="YYYYMMDD|last", help="The observing day.")],
    where: Annotated[str, typer.Option(help="Only exposures that match, such as \"physical_filter = 'r'\".")] = "",
    run: Annotated[
        str | None, typer.Option(help="The collection for the products; night/YYYYMMDD if not given.")
    ] = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    without: WithoutOption = "",
    engine: EngineOption = "auto",
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Correct the science exposures of a night. Run again, it does only what is missing."""
    from flows.night import plan_night, run_night
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    layer = recipe_layer(settings, config, without)
    with open_repo(repo) as opened:
        if dry_run:
            plan = plan_night(opened, day, where=where, run=run, settings=layer)
            emit(plan.to_dict(), as_json=as_json, text=lambda: say(plan.render()))
            return plan.exit_code
        with progress_bar(f"night {day}", quiet=as_json) as advance:
            report = run_night(
                opened,
                day,
                where=where,
                run=run,
                settings=layer,
                engine=engine,
                workers=workers,
                on_progress=advance,
            )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code
