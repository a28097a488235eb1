"""``isrflow reprocess``: chosen exposures again, into a run of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.night import EngineOption, RetryOption, tell_engine
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

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_NIGHT,
    epilog=example(
        'isrflow reprocess "day_obs = 20260301 and detector = 2" --out try/order3 --set overscan.order=3',
        'isrflow reprocess "exposure = 20260301005" --out try/noflat --without flat --dry-run',
    ),
)
def reprocess(
    *,
    where: Annotated[str, typer.Argument(metavar="WHERE", help="Which exposures; the language of `isrflow query`.")],
    out: Annotated[str, typer.Option("--out", metavar="RUN", help="The collection for the products.")],
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
    """Correct chosen exposures again, with other settings or calibrations, beside the earlier products."""
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo
    from flows.reprocess import plan_reprocess, run_reprocess

    layer = recipe_layer(settings, config, without, recipe)
    with open_repo(repo, read_only=dry_run) as opened:
        if dry_run:
            plan = plan_reprocess(opened, where, out, settings=layer, retry_failed=retry, context=context)
            emit(plan.to_dict(), as_json=as_json, text=lambda: say(plan.render()))
            return plan.exit_code
        tell_engine(opened, engine)
        with progress_bar(out, quiet=as_json) as advance:
            report = run_reprocess(
                opened,
                where,
                out,
                settings=layer,
                engine=engine,
                workers=workers,
                retry_failed=retry,
                context=context,
                on_progress=advance,
            )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code
