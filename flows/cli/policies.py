"""``isrflow policy``: what is done where a calibration is missing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from flows.cli.groups import InOrder
from flows.cli.options import AsOfOption, JsonOption, ReasonOption, RepoOption, example

app = typer.Typer(cls=InOrder, help="Decide what is done where a calibration is missing.")

Word = Literal["error", "skip", "optional", "nearest"]


@app.callback(invoke_without_command=True)
def policy(context: typer.Context) -> None:
    """Decide what is done where a calibration is missing."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    "set",
    epilog=example(
        "isrflow policy set flat nearest --max-gap 7d --reason 'no flats in cloudy weeks'",
        "isrflow policy set dark optional --reason 'exposures are short'",
        "isrflow policy set flat error --reason 'flats are taken daily again'",
    ),
)
def set_(
    *,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The kind of calibration.")],
    word: Annotated[Word, typer.Argument(metavar="POLICY", help="error, skip, optional or nearest.")],
    max_gap: Annotated[
        str | None,
        typer.Option("--max-gap", metavar="7d", help="How far away the nearest may be.", show_default=False),
    ] = None,
    reason: ReasonOption = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Decide what is done where the recipe requires a calibration and none is valid.

    error: the quantum is left undone and reported. skip: it is left undone, quietly. optional: it is done without the
    steps that need it. nearest: the nearest in time is taken, if it is at most --max-gap away.
    """
    from flows.policies import set_policy
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        change = set_policy(opened, kind, word, max_gap, reason=reason)
    emit(change.to_dict(), as_json=as_json, text=lambda: say(change.render()))
    return 0


@app.command("list", epilog=example("isrflow policy list", "isrflow policy list --as-of 2026-03-01"))
def list_(*, as_of: AsOfOption = None, repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """List the policy of every kind of calibration, and who decided it."""
    from flows.policies import list_policies
    from flows.present.output import emit, print_table
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        rows: list[dict[str, Any]] = list_policies(opened, as_of)
    emit(rows, as_json=as_json, text=lambda: print_table(rows, ["type", "policy", "decided"]))
    return 0
