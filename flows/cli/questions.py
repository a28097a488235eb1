"""Questions that change nothing: impact, diff, whatif, coverage, lint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.calibs import BeginOption, CollectionOption, EndOption
from flows.cli.options import (
    PANEL_LOOK,
    AsOfOption,
    CollectionsOption,
    ContextOption,
    JsonOption,
    RecipeOption,
    RepoOption,
    SetOption,
    example,
)

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


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow whatif 20260301 --certify calibs/20260302 --begin 20260301",
        "isrflow whatif 20260301 --context dr1",
        "isrflow whatif 20260301 --replace 1a2b3c4d=5e6f7a8b",
        "isrflow whatif night/20260301",
    ),
)
def whatif(
    *,
    target: Annotated[str, typer.Argument(metavar="YYYYMMDD|RUN|WHERE", help="A night, a run, or a query.")],
    context: ContextOption = None,
    as_of: AsOfOption = None,
    replace: Annotated[
        str | None,
        typer.Option("--replace", metavar="OLD=NEW", help="With calibrations in place of others: ids, or runs."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="RUN|DATASET", help="Without calibrations (repeatable).")
    ] = None,
    certify: Annotated[
        list[str] | None, typer.Option("--certify", metavar="RUN|DATASET", help="With these certified (repeatable).")
    ] = None,
    begin: BeginOption = None,
    end: EndOption = None,
    mode: Annotated[
        Literal["replace", "fill-gaps"], typer.Option(help="Of --certify: what gives way where something is certified.")
    ] = "replace",
    collection: CollectionOption = "calibs",
    settings: SetOption = None,
    recipe: RecipeOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say which quanta would get other calibrations, before anything is changed; nothing is written.

    Of a run, if nothing is supposed: what its quanta would get if they were made again now.
    """
    from flows.cli.options import recipe_layer
    from flows.present.output import emit, say
    from flows.questions import Supposed, ask_whatif
    from flows.repo import open_repo

    supposed = Supposed(
        context, as_of, replace, tuple(without or ()), tuple(certify or ()), begin, end, collection, mode
    )
    with open_repo(repo, read_only=True) as opened:
        found = ask_whatif(opened, target, supposed, settings=recipe_layer(settings, None, "", recipe))
    emit(found.to_dict(), as_json=as_json, text=lambda: say(found.render()))
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow coverage",
        "isrflow coverage 20260301..20260331 --type flat --plot flats.png",
        "isrflow coverage --tonight plan.yaml --night 20260303",
    ),
)
def coverage(
    *,
    nights: Annotated[
        str, typer.Argument(metavar="[YYYYMMDD[..YYYYMMDD]|WHERE]", help="Which nights; the last 30 if not given.")
    ] = "",
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only this kind (repeatable).")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw it, too.")] = None,
    tonight: Annotated[
        Path | None,
        typer.Option("--tonight", metavar="PLAN.yaml|csv", help="Of a planned night: what to take before it."),
    ] = None,
    night: Annotated[
        str | None, typer.Option("--night", metavar="YYYYMMDD", help="Of --tonight; the plan's, else this one.")
    ] = None,
    collection: CollectionsOption = None,
    context: ContextOption = None,
    as_of: AsOfOption = None,
    settings: SetOption = None,
    recipe: RecipeOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show for which nights, filters and detectors calibrations are certified, replaced by a fallback, or missing.

    The exit code is 2 if something required is missing.
    """
    from flows.cli.options import recipe_layer
    from flows.coverage import ask_coverage, ask_tonight
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo
    from registry.errors import UserError

    if plot is not None and plot.suffix.lower() != ".png":
        raise UserError(f"pictures are PNG, not {plot.suffix or plot.name}", fix=f"--plot {plot.with_suffix('.png')}")
    layer = recipe_layer(settings, None, "", recipe)
    with open_repo(repo, read_only=True) as opened:
        if tonight is not None:
            prospect = ask_tonight(opened, tonight, night, settings=layer)
            emit(prospect.to_dict(), as_json=as_json, text=lambda: say(prospect.render()))
            return 0 if prospect.is_complete else 2
        found = ask_coverage(
            opened,
            nights,
            types=tuple(kind or ()),
            collections=tuple(collection or ()),
            context=context,
            as_of=as_of,
            settings=layer,
        )
    if plot is not None:
        from flows.present.coverage import draw_coverage

        draw_coverage(found, plot)

    def text() -> None:
        print_table(found.rows(), title=f"calibrations in {', '.join(found.collections)}")
        for line in [*found.notes(), *([f"picture: {plot}"] if plot is not None else [])]:
            say(line)

    emit(found.to_dict(), as_json=as_json, text=text)
    return 0 if found.is_complete else 2


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow lint", "isrflow lint --ignore NEVER_USED --ignore EDGE_FORECAST --json"),
)
def lint(
    *,
    collection: CollectionsOption = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", metavar="RULE", help="Not this rule.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List what is looked for, and stop.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Look calibrations over: gaps, edges inside nights, masters of bad raws, fallbacks too far away, mixed runs.

    The exit code is 0 if there is nothing but notes, 2 if there are warnings, 3 if products are wrong or missing.
    """
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo
    from registry.questions.findings import RULES

    if rules:
        known = [{"rule": name, "says": text} for name, text in RULES.items()]
        emit(known, as_json=as_json, text=lambda: print_table(known))
        return 0
    with open_repo(repo, read_only=True) as opened:
        found = opened.butler.lint(tuple(collection or opened.settings.collections), ignore=tuple(ignore or ()))
    emit(found.to_dict(), as_json=as_json, text=lambda: say(found.render()))
    return {"error": 3, "warning": 2}.get(found.worst or "", 0)
