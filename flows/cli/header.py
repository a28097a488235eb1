"""Headers of raws put right: corrected, restored, listed; the files stay as they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from flows.cli.flag import DetectorOption, HistoryOption, WhereOption
from flows.cli.groups import InOrder
from flows.cli.options import AsOfOption, DryRunOption, JsonOption, ReasonOption, RepoOption, comma_list, example

app = typer.Typer(cls=InOrder, help="Put headers of raws right without touching the files: correct, restore, list.")

KeywordArgument = Annotated[str, typer.Argument(metavar="KEYWORD", help="The card.")]
ExposureOption = Annotated[
    list[int] | None, typer.Option("--exposure", metavar="ID", help="An exposure (repeatable); or use --where.")
]


@app.callback(invoke_without_command=True)
def header(context: typer.Context) -> None:
    """Put headers of raws right without touching the files: correct, restore, list."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    epilog=example(
        'isrflow header correct EXPTIME 30.0 --where "exposure in (20260301005, 20260301006)" --reason "clock stuck"',
        'isrflow header correct FILTER r_01 --exposure 20260301007 --reason "wheel log" --dry-run',
        'isrflow header correct AIRMASS --delete --where "day_obs = 20260301" --reason "sensor broken"',
    )
)
def correct(
    *,
    keyword: KeywordArgument,
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="What it is to say: 30, 3.5, T, 'text'.")
    ] = None,
    exposure: ExposureOption = None,
    detector: DetectorOption = "",
    where: WhereOption = "",
    reason: ReasonOption,
    kind: Annotated[
        Literal["auto", "text", "int", "float", "bool"], typer.Option("--type", help="Read VALUE as this.")
    ] = "auto",
    delete: Annotated[bool, typer.Option("--delete", help="Take the card away.")] = False,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Let a card of raws say something else wherever they are read; exposures change with it.

    What was made before keeps its provenance; it is named, so that you know what to make again.
    """
    from flows.mend import correct_headers
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.selection import select_targets
    from isrflow.frame.corrected import parse_value
    from registry.errors import UserError

    if (value is None) != delete:
        raise UserError("say what the card is to say, or --delete it; one of both")
    with open_repo(repo, read_only=dry_run) as opened:
        targets = select_targets(opened, exposure or (), comma_list(detector), where)
        said = None if value is None else parse_value(value, kind)
        report = correct_headers(opened, targets, keyword, said, reason=reason, dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0


@app.command(epilog=example('isrflow header restore EXPTIME --exposure 20260301005 --reason "the clock was right"'))
def restore(
    *,
    keyword: KeywordArgument,
    exposure: ExposureOption = None,
    detector: DetectorOption = "",
    where: WhereOption = "",
    reason: ReasonOption,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Let a card say again what the file says."""
    from flows.mend import restore_headers
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.selection import select_targets

    with open_repo(repo, read_only=dry_run) as opened:
        targets = select_targets(opened, exposure or (), comma_list(detector), where)
        report = restore_headers(opened, targets, keyword, reason=reason, dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0


@app.command("list", epilog=example("isrflow header list", "isrflow header list EXPTIME --history"))
def list_(
    *,
    keyword: Annotated[str | None, typer.Argument(metavar="[KEYWORD]", help="Only this card.")] = None,
    as_of: AsOfOption = None,
    history: HistoryOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List corrected cards: of what, what they say, who said so, when and why."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        seq = None if as_of is None else opened.butler.seq_of(as_of)
        key = None if keyword is None else keyword.upper()
        rows = [row.to_dict() for row in opened.butler.header_corrections(keyword=key, as_of=seq, history=history)]
    columns = ["exposure", "detector", "keyword", "value", "actor", "at", "reason"]
    shown = [{"detector": "all", **row, "value": _said(row)} for row in rows]
    columns += ["removed_at"] if history else []
    emit(rows, as_json=as_json, text=lambda: print_table(shown, columns) if rows else say("no header is corrected"))
    return 0


def _said(row: dict[str, Any]) -> str:
    """Return the value as a card says it: 33.0 is a real number, 33 is a whole one."""
    if row["is_taken_away"]:
        return "(taken away)"
    value = row["value"]
    return {True: "T", False: "F"}[value] if isinstance(value, bool) else str(value)
