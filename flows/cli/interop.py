"""``isrflow interop``: repositories of other systems."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flows.cli.groups import InOrder
from flows.cli.options import DryRunOption, JsonOption, RepoOption, comma_list, example

Transfer = Literal["copy", "link", "direct"]

app = typer.Typer(cls=InOrder, help="Bring in what other systems keep.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Bring in what other systems keep."""


@app.command(
    epilog=example(
        "isrflow interop butler /repo/main --collections 'LSSTCam/raw/all,LSSTCam/calib' --dry-run",
        "isrflow interop butler /repo/main --collections LSSTCam/defaults --where 'exposure.day_obs = 20260301'",
        "isrflow interop butler OTHER --collections '*' --type cpBias=bias --collection cam/raw/all=raw/cam",
    ),
)
def butler(
    *,
    other: Annotated[str, typer.Argument(metavar="REPO", help="The butler repository: its directory, or its alias.")],
    collections: Annotated[
        str, typer.Option(metavar="NAME,...", help="Names or patterns; chains come with all that they search.")
    ],
    where: Annotated[
        str, typer.Option(metavar="CONDITION", help="Which exposures, in butler's own language; calibrations all come.")
    ] = "",
    type_: Annotated[
        list[str] | None, typer.Option("--type", metavar="THERE=HERE", help="What a dataset type is called here.")
    ] = None,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", metavar="THERE=HERE", help="What a collection is called here.")
    ] = None,
    transfer: Annotated[Transfer, typer.Option(help="Leave the files in place, copy them, or hard-link.")] = "direct",
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring in an lsst-daf-butler repository: exposures, files in place, collections, ranges of validity.

    Nothing there is changed. Again is harmless: what is here already is only compared. What contradicts this repository
    is listed whole, and then nothing is stored; what isrflow has no words for is listed and left.
    """
    from flows.interop.butler import bring_butler
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    with open_repo(repo) as opened, progress_bar("reading files", quiet=as_json) as advance:
        report = bring_butler(
            opened,
            other,
            comma_list(collections),
            where=where,
            type_names=type_ or [],
            collection_names=collection or [],
            transfer=transfer,
            dry_run=dry_run,
            on_progress=advance,
        )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code
