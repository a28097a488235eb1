"""``isrflow context``: frozen contexts, to be named, cited and asked for ever."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.groups import InOrder
from flows.cli.options import AsOfOption, JsonOption, RepoOption, comma_list, example

app = typer.Typer(cls=InOrder, help="Freeze what would be resolved, under a name and a hash to cite.")


@app.callback(invoke_without_command=True)
def context(context: typer.Context) -> None:
    """Freeze what would be resolved, under a name and a hash to cite."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    epilog=example(
        "isrflow context freeze dr1 --doc 'first data release'",
        "isrflow context freeze spring --collections calibs --as-of 2026-04-01",
    )
)
def freeze(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A new name.")],
    collections: Annotated[
        str,
        typer.Option("--collections", metavar="A,B", help="Where to search, in order; else as the repository does."),
    ] = "",
    as_of: AsOfOption = None,
    doc: Annotated[str, typer.Option("--doc", help="What it is for.")] = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Freeze where calibrations are searched, as of when and by which policies: it gives the same for ever."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        butler = opened.butler
        path = comma_list(collections) or opened.settings.collections
        row = butler.freeze_context(name, path, as_of=None if as_of is None else butler.seq_of(as_of), doc=doc)
    emit(row.to_dict(), as_json=as_json, text=lambda: say(row.render()))
    return 0


@app.command("list", epilog=example("isrflow context list"))
def list_(*, repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """List the frozen contexts."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        rows = [row.to_dict() for row in opened.butler.contexts()]
    shown = [
        row | {"sha256": row["sha256"][:12], "collections": ", ".join(one["name"] for one in row["collections"])}
        for row in rows
    ]

    def text() -> None:
        if rows:
            print_table(shown, ["name", "sha256", "event", "collections", "frozen", "owner", "doc"])
        else:
            say("no context was frozen yet\n  try: isrflow context freeze NAME")

    emit(rows, as_json=as_json, text=text)
    return 0


@app.command(epilog=example("isrflow context show dr1"))
def show(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A frozen context.")],
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show a frozen context, with the hash to cite."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        row = opened.butler.context(name)
    emit(row.to_dict(), as_json=as_json, text=lambda: say(row.render()))
    return 0
