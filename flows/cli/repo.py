"""Making a repository and caring for it: init, up, down, status, recover, db."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.groups import InOrder
from flows.cli.options import PANEL_CARE, PANEL_NIGHT, DryRunOption, JsonOption, RepoOption, example

app = typer.Typer()
db_app = typer.Typer(cls=InOrder, help="The schema of the registry's database.", no_args_is_help=False)


@app.command(
    rich_help_panel=PANEL_NIGHT,
    epilog=example("isrflow init repo --instrument lupine", "isrflow init repo --instrument mycamera.yaml"),
)
def init(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The new repository.")],
    instrument: Annotated[
        str, typer.Option(metavar="NAME|FILE.yaml", help="A shipped instrument, or a camera file of your own.")
    ],
    db: Annotated[
        str | None,
        typer.Option(
            "--db", metavar="URL", help="The database, postgresql://USER@HOST/DATABASE; SQLite in DIR if not given."
        ),
    ] = None,
    datastore: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="Where files are kept, s3://BUCKET/PREFIX; in DIR if not given."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Make a repository for one instrument, and compile the kernels once."""
    from flows.present.output import emit, remark, say
    from flows.repo import create_repo
    from isrflow.kernels.warm import warm_kernels

    with create_repo(directory, instrument, url=db, datastore=datastore) as repo:
        root, name, detectors = repo.root, repo.instrument, len(repo.camera.detectors)
        place = repo.butler.location
    if place.password is not None:
        remark("the password is not kept: put it into ~/.pgpass or ISRFLOW_DATABASE_PASSWORD")
    remark("compiling the kernels, once (half a minute on a slow machine) ...")
    kernels = warm_kernels()
    facts = {"repo": root, "instrument": name, "detectors": detectors, "kernels": len(kernels)}
    facts |= {"database": place.database_place, "datastore": place.datastore_place}

    def text() -> None:
        say(f"repository {root} for {name} ({detectors} detectors), {len(kernels)} kernels ready")
        say(f"next:\n  isrflow ingest --repo {directory} RAW_FILES")

    emit(facts, as_json=as_json, text=text)
    return 0


@app.command(rich_help_panel=PANEL_CARE, epilog=example("isrflow up"))
def up(repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Start a local Prefect server for this repository; `night` and `reprocess` then use it."""
    from flows.present.output import emit, say
    from flows.repo import find_repo
    from flows.server import up as start

    server = start(find_repo(repo))
    state = "was running already at" if server.already_running else "runs at"
    emit(server, as_json=as_json, text=lambda: say(f"Prefect server {state} {server.url}; stop it with: isrflow down"))
    return 0


@app.command(rich_help_panel=PANEL_CARE, epilog=example("isrflow down"))
def down(repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Stop the Prefect server that `up` started."""
    from flows.present.output import emit, say
    from flows.repo import find_repo
    from flows.server import down as stop

    stopped = stop(find_repo(repo))
    emit({"stopped": stopped}, as_json=as_json, text=lambda: say("stopped" if stopped else "no server was running"))
    return 0


@app.command(rich_help_panel=PANEL_CARE, epilog=example("isrflow status"))
def status(repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Say what the repository holds, what is under way, and what to do next."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo
    from flows.status import repo_status

    with open_repo(repo, read_only=True) as opened:
        facts = repo_status(opened)

    def text() -> None:
        say(facts.headline)
        print_table(facts.rows())
        say("\n".join(["next:", *(f"  {step}" for step in facts.next_steps)]))

    emit(facts.to_dict(), as_json=as_json, text=text)
    return 0


@app.command(rich_help_panel=PANEL_CARE, epilog=example("isrflow recover --dry-run"))
def recover(repo: RepoOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False) -> int:
    """Clear away what a crash left behind, and explain each leftover. Runs by itself before every night."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=dry_run) as opened:
        report = opened.butler.recover(dry_run=dry_run)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0


@db_app.callback(invoke_without_command=True)
def db(context: typer.Context) -> None:
    """Look after the schema of the registry's database."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@db_app.command(epilog=example("isrflow db upgrade"))
def upgrade(repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Bring the database to the schema of this version of isrflow."""
    from flows.present.output import emit, say
    from flows.repo import find_repo
    from registry.location import read_location
    from registry.migrate import upgrade_database

    before, after = upgrade_database(read_location(find_repo(repo)).address)
    told = f"schema {after}, as before" if before == after else f"schema {before} brought to {after}"
    emit({"before": before, "after": after}, as_json=as_json, text=lambda: say(told))
    return 0


@db_app.command(epilog=example("isrflow db current"))
def current(repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Say which schema the database has, and which one this version of isrflow wants."""
    from flows.present.output import emit, say
    from flows.repo import find_repo
    from registry.location import read_location
    from registry.migrate import database_revision
    from registry.sql.database import HEAD, wrong_version

    place = read_location(find_repo(repo))
    found = database_revision(place.address)
    fix = None if found == HEAD else wrong_version(found, place.database_place).fix
    told = "up to date" if fix is None else f"this isrflow wants {HEAD}: {fix}"
    facts = {"found": found, "wanted": HEAD, "database": place.database_place, "fix": fix}
    emit(facts, as_json=as_json, text=lambda: say(f"schema {found} in {place.database_place}: {told}"))
    return 0


@db_app.command(epilog=example("isrflow db check", "isrflow db check --mend"))
def check(
    repo: RepoOption = None,
    mend: Annotated[bool, typer.Option(help="Make again what is missing or changed, where SQL can.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Compare the database's tables, indexes and guards with what they should be, and say what mends each."""
    from flows.present.output import emit, remark, say
    from flows.repo import find_repo
    from registry.location import read_location
    from registry.schema_check import check_schema, mend_schema

    address = read_location(find_repo(repo)).address
    if mend:
        for one in mend_schema(address):
            remark(f"mended: {one.kind} {one.name}")
    report = check_schema(address)
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return 0 if report.is_sound else 1
