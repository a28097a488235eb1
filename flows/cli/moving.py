"""Carrying data between repositories: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import PANEL_CARE, DryRunOption, JsonOption, RepoOption, example

app = typer.Typer()
Validity = Literal["idempotent", "replace", "fill-gaps", "strict", "skip"]


@app.command(
    name="export",
    rich_help_panel=PANEL_CARE,
    epilog=example(
        'isrflow export night.zip --where "day_obs = 20260301" --calibs --provenance',
        "isrflow export masters --type bias --type flat",
        "isrflow export rows.zip --where \"run = 'night/20260301'\" --no-files",
    ),
)
def export_(
    *,
    package: Annotated[Path, typer.Argument(metavar="DIR|FILE.zip", help="The new package.")],
    where: Annotated[str, typer.Option("--where", help="Which datasets, as in `isrflow query datasets`.")] = "",
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only datasets of this type (repeatable).")
    ] = None,
    calibs: Annotated[
        bool, typer.Option("--calibs", help="And the calibrations they were made with or that hold for them now.")
    ] = False,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="And the work that made them, with all it read, all the way up.")
    ] = False,
    files: Annotated[bool, typer.Option("--files/--no-files", help="With their files, or rows alone.")] = True,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write a part of the repository to a package that any other repository can import."""
    from flows.moving import export_package
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        answer = export_package(
            opened, package, where, types=types or None, calibs=calibs, provenance=provenance, files=files
        )

    def text() -> None:
        say(answer.render())
        say(f"next:\n  isrflow import {package} --repo OTHER\n  isrflow import {package} --into NEWDIR")

    emit(answer.to_dict(), as_json=as_json, text=text)
    return 0


@app.command(
    name="import",
    rich_help_panel=PANEL_CARE,
    epilog=example(
        "isrflow import night.zip --dry-run",
        "isrflow import night.zip",
        "isrflow import night.zip --into newrepo",
        "isrflow import night.zip --validity replace",
    ),
)
def import_(
    *,
    package: Annotated[Path, typer.Argument(metavar="DIR|FILE.zip", help="What `isrflow export` wrote.")],
    into: Annotated[
        Path | None, typer.Option("--into", metavar="NEWDIR", help="Make a new repository of it, in SQLite.")
    ] = None,
    validity: Annotated[
        Validity, typer.Option("--validity", help="What to do where other calibrations are certified here.")
    ] = "idempotent",
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take in a package of another repository; harmless when repeated.

    Every hash is checked before anything is stored, and what is here already is left alone. For files of your own,
    which no repository made, see `isrflow ingest` and `isrflow calibs import`.
    """
    from flows.moving import import_into_new
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from registry.errors import UserError

    if into is not None and dry_run:
        raise UserError("--into makes a new repository, which a dry run cannot", fix="leave out --dry-run")
    if into is not None:
        answer = import_into_new(package, into, validity=validity)
    else:
        with open_repo(repo, read_only=dry_run) as opened:
            answer = opened.butler.import_package(package, dry_run=dry_run, validity=validity)

    def text() -> None:
        say(answer.render())
        if into is not None:
            say(f"next:\n  isrflow status --repo {into}")

    emit(answer.to_dict(), as_json=as_json, text=text)
    return 1 if answer.conflicts else 0
