"""Quality flags: set, cleared, listed."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows.cli.groups import InOrder
from flows.cli.options import AsOfOption, DryRunOption, JsonOption, ReasonOption, RepoOption, comma_list, example

app = typer.Typer(cls=InOrder, help="Flag exposures bad or suspect, take flags back, list them.")

FlagName = Literal["bad", "suspect"]
FlagArgument = Annotated[FlagName, typer.Argument(metavar="bad|suspect", help="What is said of the data.")]
ExposuresArgument = Annotated[
    list[int] | None, typer.Argument(metavar="[EXPOSURE]...", help="Ids of exposures; or use --where.")
]
DetectorOption = Annotated[
    str, typer.Option("--detector", metavar="D,...", help="Ids or names of detectors; all if not given.")
]
WhereOption = Annotated[
    str, typer.Option("--where", metavar="WHERE", help="Which exposures (and detectors); as for `isrflow query`.")
]
HistoryOption = Annotated[bool, typer.Option("--history", help="Also what was taken back.")]


@app.callback(invoke_without_command=True)
def flag(context: typer.Context) -> None:
    """Flag exposures bad or suspect, take flags back, list them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    "set",
    epilog=example(
        'isrflow flag set bad 20260301005 --detector 1 --reason "light leak at detector 1"',
        "isrflow flag set suspect --where \"begin > '2026-03-02T05:00'\" --reason haze --dry-run",
    ),
)
def set_(
    *,
    name: FlagArgument,
    exposures: ExposuresArgument = None,
    detector: DetectorOption = "",
    where: WhereOption = "",
    reason: ReasonOption,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Flag exposures, on some detectors or on all.

    Nothing is made of what is bad; what is suspect is used, and the products say so.
    """
    from flows.mend import flag_exposures
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.selection import select_targets

    with open_repo(repo, read_only=dry_run) as opened:
        targets = select_targets(opened, exposures or (), comma_list(detector), where)
        report = flag_exposures(opened, targets, name, reason=reason, dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0


@app.command(epilog=example('isrflow flag clear bad 20260301005 --detector 1 --reason "it was the other exposure"'))
def clear(
    *,
    name: FlagArgument,
    exposures: ExposuresArgument = None,
    detector: DetectorOption = "",
    where: WhereOption = "",
    reason: ReasonOption,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take flags back; that they were set stays known."""
    from flows.mend import clear_flags
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.selection import select_targets

    with open_repo(repo, read_only=dry_run) as opened:
        targets = select_targets(opened, exposures or (), comma_list(detector), where)
        report = clear_flags(opened, targets, name, reason=reason, dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0


@app.command("list", epilog=example("isrflow flag list", "isrflow flag list bad --as-of 2026-03-02T12:00 --history"))
def list_(
    *,
    name: Annotated[FlagName | None, typer.Argument(metavar="[bad|suspect]", help="Only these.")] = None,
    as_of: AsOfOption = None,
    history: HistoryOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List flags: of what, who set them, when and why."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        seq = None if as_of is None else opened.butler.seq_of(as_of)
        rows = [row.to_dict() for row in opened.butler.flags(flag=name, as_of=seq, history=history)]
    columns = ["exposure", "detector", "flag", "actor", "at", "reason", *(["removed_at"] if history else [])]
    shown = [{"detector": "all", **row} for row in rows]
    emit(rows, as_json=as_json, text=lambda: print_table(shown, columns) if rows else say("no flags"))
    return 0
