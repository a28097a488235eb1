"""Making room: delete, gc."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import PANEL_CARE, DryRunOption, JsonOption, ReasonOption, RepoOption, example

app = typer.Typer()
_DAY_S = 86400.0


@app.command(
    rich_help_panel=PANEL_CARE,
    epilog=example(
        "isrflow delete 1a2b3c4d --reason 'dome closed'",
        "isrflow delete --run night/20260301 --reason 'made anew' --yes",
        "isrflow delete --where \"type = 'statistics' and day_obs < 20260101\" --reason 'old' --yes",
    ),
)
def delete(
    *,
    what: Annotated[list[str] | None, typer.Argument(metavar="[DATASET]...", help="(Short) ids.")] = None,
    where: Annotated[
        str, typer.Option("--where", metavar="WHERE", help="Those that fit, as for `isrflow query datasets`.")
    ] = "",
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="All that a run holds.")] = None,
    reason: ReasonOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it you are told what would go.")] = False,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Delete datasets that nothing depends on; their ids, hashes and provenance stay.

    What is certified, tagged, cited by a frozen context, or has given products, is refused, with every reason and the
    command that removes it. A product can be made again later, under the same id, by running the same work again.
    """
    from flows.deleting import delete_datasets
    from flows.present.output import emit, say
    from flows.repo import open_repo

    look = dry_run or not yes
    with open_repo(repo) as opened:
        report = delete_datasets(opened, what or [], where=where, run=run, reason=reason, dry_run=look)

    def text() -> None:
        say(report.render())
        if look and report.refs:
            say("nothing was done; to do it, add --yes")

    emit(report.to_dict(), as_json=as_json, text=text)
    return 0


@app.command(
    rich_help_panel=PANEL_CARE,
    epilog=example("isrflow gc --dry-run", "isrflow gc", "isrflow gc --older-than 30 --remove --quarantined"),
)
def gc(
    *,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Touch nothing younger than this.")
    ] = 7.0,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove files that no dataset has; else they are set aside.")
    ] = False,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Remove what was set aside before.")] = False,
    purged: Annotated[
        bool, typer.Option("--purged", help="Remove files that stand where those of deleted datasets stood.")
    ] = False,
    cache: Annotated[bool, typer.Option("--cache", help="Drop all copies of remote files.")] = False,
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Clear away files that no dataset needs: orphans, unfinished transfers, what crashes left.

    A file that belongs to a dataset is never touched. See what it would do first: --dry-run.
    """
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from registry.garbage import GarbageRules

    rules = GarbageRules(older_than * _DAY_S, remove, quarantined, purged, cache)
    with open_repo(repo) as opened:
        report = opened.butler.collect_garbage(rules, dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0
