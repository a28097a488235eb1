"""``isrflow night``: everything a night of raws needs, in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.options import (
    PANEL_NIGHT,
    ConfigOption,
    ContextOption,
    DryRunOption,
    JsonOption,
    RecipeOption,
    RepoOption,
    SetOption,
    WithoutOption,
    WorkersOption,
    example,
    recipe_layer,
)

if TYPE_CHECKING:
    from flows.repo import Repo
    from flows.settings import EngineName

app = typer.Typer()

EngineOption = Annotated[
    Literal["auto", "prefect", "direct"] | None,
    typer.Option(
        "--engine",
        help="auto: Prefect if a server is configured or `isrflow up` runs one, else direct. As the repository's "
        "settings say, if not given.",
        show_default=False,
    ),
]
RetryOption = Annotated[bool, typer.Option("--retry/--no-retry", help="Whether what failed before is tried again.")]


@app.command(
    rich_help_panel=PANEL_NIGHT,
    epilog=example("isrflow night 20260301", "isrflow night last --dry-run", "isrflow night last --engine direct"),
)
def night(
    *,
    day: Annotated[str, typer.Argument(metavar="YYYYMMDD|last", help="The observing day.")],
    where: Annotated[str, typer.Option(help="Only exposures that match, such as \"physical_filter = 'r'\".")] = "",
    settings: SetOption = None,
    config: ConfigOption = None,
    recipe: RecipeOption = None,
    without: WithoutOption = "",
    engine: EngineOption = None,
    retry: RetryOption = True,
    workers: WorkersOption = None,
    context: ContextOption = None,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Correct the science exposures of a night. Run again, it does only what is missing."""
    from flows.night import plan_night, run_night
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    layer = recipe_layer(settings, config, without, recipe)
    with open_repo(repo, read_only=dry_run) as opened:
        if dry_run:
            plan = plan_night(opened, day, where=where, settings=layer, retry_failed=retry, context=context)
            emit(plan.to_dict(), as_json=as_json, text=lambda: say(plan.render()))
            return plan.exit_code
        tell_engine(opened, engine)
        with progress_bar(f"night {day}", quiet=as_json) as advance:
            report = run_night(
                opened,
                day,
                where=where,
                settings=layer,
                engine=engine,
                workers=workers,
                retry_failed=retry,
                context=context,
                on_progress=advance,
            )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code


def tell_engine(repo: Repo, wanted: EngineName | None) -> None:
    """Say in one line who will run the quanta, and why."""
    from flows.engine import choose_engine
    from flows.present.output import remark

    choice = choose_engine(wanted or repo.settings.engine, repo.root)
    remark(f"engine {choice.name}: {choice.reason}")
