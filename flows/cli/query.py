"""Asking the registry: query, explain, lineage."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows.cli.options import PANEL_LOOK, JsonOption, RepoOption, example

app = typer.Typer()

What = Literal["exposures", "datasets", "collections", "quanta"]
Format = Literal["table", "json", "csv", "ecsv"]


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow query exposures \"obs_type = 'science' and day_obs in 20260301..20260331\"",
        "isrflow query datasets \"type = 'post_isr' and detector in (0, 2) and exposure.begin > '2026-03-01T04:00'\"",
        "isrflow query quanta \"state = 'failed'\" --order -seconds --limit 10",
        'isrflow query exposures "exposure_time in 30..60 and flag is null" --format ecsv',
        "isrflow query exposures \"band = 'r' and obs_type = 'bias'\" --explain",
        "isrflow query exposures --fields",
    ),
)
def query(
    *,
    what: Annotated[What, typer.Argument(help="What to list.")],
    where: Annotated[str, typer.Argument(metavar="[WHERE]", help="Which; all if not given.")] = "",
    order_by: Annotated[
        list[str] | None,
        typer.Option("--order", "--order-by", metavar="FIELD", help="Sort; -FIELD sorts downwards (repeatable)."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.", show_default=False)] = None,
    page: Annotated[
        str | None,
        typer.Option("--page", metavar="TOKEN", help="Go on where a limited query ended; JSON then names the next."),
    ] = None,
    bind: Annotated[
        list[str] | None, typer.Option("--bind", metavar="NAME=VALUE", help="A value for :NAME (repeatable).")
    ] = None,
    columns: Annotated[str, typer.Option("--columns", metavar="A,B,...", help="Only these columns.")] = "",
    format_: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = "table",
    explain_: Annotated[
        bool, typer.Option("--explain", help="Say how many rows each condition alone selects, instead of the rows.")
    ] = False,
    fields: Annotated[bool, typer.Option("--fields", help="List what WHERE can ask about, and stop.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List exposures, datasets, collections or quanta.

    WHERE compares fields with values or with each other: = != < <= > >=, in (a, b, 1..9), in a..b:2, ~ 'pattern*',
    is null, and, or, not, parentheses. Texts stand in quotes, days are YYYYMMDD, times quoted UTC.
    """
    from flows.cli.answers import print_explained, print_rows
    from flows.cli.options import comma_list
    from flows.present.output import emit, say
    from flows.repo import open_repo

    if fields:
        return _list_fields(what, as_json=as_json)
    values = dict(map(_bound, bind or ()))
    with open_repo(repo, read_only=True) as opened:
        if explain_:
            answer = opened.butler.explain_empty(what, where, bind=values)
            emit(answer.to_dict(), as_json=as_json or format_ == "json", text=lambda: say(answer.render()))
            return 0
        rows = opened.butler.query(
            what,
            where,
            bind=values,
            order_by=tuple(order_by or ()),
            limit=limit,
            after=None if page == "first" else page,
            columns=comma_list(columns) or None,
        )
        print_rows(rows, "json" if as_json else format_, paged=page is not None)
        if not rows and page in {None, "first"}:
            print_explained(
                opened.butler.explain_empty(what, where, bind=values), as_table=format_ == "table" and not as_json
            )
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow lineage 1a2b3c4d", "isrflow lineage 1a2b3c4d --down"),
)
def lineage(
    *,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A (short) id.")],
    down: Annotated[
        bool, typer.Option("--down/--up", help="What was made from it, instead of what it was made from.")
    ] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show everything a product was made from; or, with --down, every product made from it."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        ref = opened.butler.resolve_id(dataset)
        tree = opened.butler.lineage(ref, "down" if down else "up")
    emit(tree.to_dict(), as_json=as_json, text=lambda: say(tree.render()))
    return 0


def _bound(text: str) -> tuple[str, str | int | float]:
    """Read NAME=VALUE; what reads as a number is one."""
    from registry.errors import UserError

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UserError(f"'{text}' does not name a value", fix="--bind NAME=VALUE, for :NAME in the condition")
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def _list_fields(what: What, *, as_json: bool) -> int:
    from flows.present.output import emit, print_table
    from registry.query.fields import Kind, subject

    about = subject(what)
    rows = [{"field": name, "is": item.kind.value, "known": list(item.known)} for name, item in about.fields.items()]
    rows += [{"field": f"{name}.KEY", "is": Kind.ATTRIBUTE.value, "known": []} for name in about.objects]
    emit(rows, as_json=as_json, text=lambda: print_table(rows))
    return 0
