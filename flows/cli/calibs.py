"""Calibrations: made, brought in, certified, listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.groups import InOrder
from flows.cli.night import EngineOption, tell_engine
from flows.cli.options import (
    AsOfOption,
    ConfigOption,
    DryRunOption,
    JsonOption,
    ReasonOption,
    RecipeOption,
    RepoOption,
    SetOption,
    WorkersOption,
    example,
    recipe_layer,
)

if TYPE_CHECKING:
    from registry.sql.calibrations import CertifyDiff

Mode = Literal["strict", "idempotent", "replace", "fill-gaps"]

app = typer.Typer(cls=InOrder, help="Calibrations: make, bring in, certify, list.")

CollectionOption = Annotated[str, typer.Option("--collection", help="The collection of certified calibrations.")]
BEGIN = typer.Option(
    "--begin",
    metavar="T",
    help="From when: 2026-03-01T12:00, or MJD 61100.5; UTC, or 61100.5TAI. Eight digits: that observing day's start.",
)
BeginOption = Annotated[str | None, BEGIN]
EndOption = Annotated[
    str | None, typer.Option("--end", metavar="T", help="Until when (excluded); for ever if not given.")
]


@app.callback(invoke_without_command=True)
def calibs(context: typer.Context) -> None:
    """Make, bring in, certify and list calibrations."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    epilog=example(
        "isrflow calibs build bias dark flat defects --night 20260301 --out calibs/20260301",
        "isrflow calibs build flat --night 20260301 --out calibs/try2 --set overscan.order=3",
    )
)
def build(
    *,
    types: Annotated[
        list[str], typer.Argument(metavar="TYPE...", help="bias, dark, flat, defects; made in that order.")
    ],
    night: Annotated[str, typer.Option("--night", metavar="YYYYMMDD", help="The observing day of the raws, or last.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="RUN", help="The collection for them; calibs/YYYYMMDD if not given.")
    ] = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    recipe: RecipeOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Combine the calibration exposures of a night into master calibrations, one a detector (and filter)."""
    from flows.calibrate import build_calibs
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    layers = recipe_layer(settings, config, "", recipe)
    with open_repo(repo) as opened, progress_bar("building", quiet=as_json) as advance:
        tell_engine(opened, engine)
        report = build_calibs(
            opened, types, night, out, engine=engine, workers=workers, settings=layers, on_progress=advance
        )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code


@app.command(
    "import",
    epilog=example(
        "isrflow calibs import ptc ptc-det0.ecsv --detector 0",
        "isrflow calibs import flat flat_r_*.fits --filter r --out calibs/imported",
    ),
)
def import_(
    *,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The kind of calibration.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="FITS, ECSV, YAML or JSON; LSST layouts or ours.")
    ],
    detector: Annotated[str | None, typer.Option(help="Id or name, if the files do not say.")] = None,
    physical_filter: Annotated[str | None, typer.Option("--filter", help="If the files do not say.")] = None,
    exposure: Annotated[int | None, typer.Option(help="Id of the exposure they were taken with, likewise.")] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="RUN", help="The collection for them.")] = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring in calibrations made elsewhere; certify them afterwards."""
    from flows.imports import import_calib
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        report = import_calib(
            opened, kind, files, detector=detector, physical_filter=physical_filter, exposure=exposure, run=out
        )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code


@app.command(
    epilog=example(
        "isrflow calibs certify calibs/20260301 --begin 2026-03-01",
        "isrflow calibs certify 1a2b3c4d --begin 2026-03-01 --end 2026-04-01 --reason 'new flat lamp'",
    )
)
def certify(
    *,
    what: Annotated[list[str], typer.Argument(metavar="RUN|DATASET...", help="A run, or (short) dataset ids.")],
    begin: Annotated[str, BEGIN],
    end: EndOption = None,
    mode: Annotated[Mode, typer.Option(help="What to do where something is certified already.")] = "idempotent",
    readout_mode: Annotated[
        str | None,
        typer.Option(
            "--readout-mode",
            metavar="KEY=VALUE,...",
            help="The mode of exposures they serve, if not that of their raws; for kinds matched by mode.",
            show_default=False,
        ),
    ] = None,
    reason: ReasonOption = "",
    collection: CollectionOption = "calibs",
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say from when to when calibrations hold; only certified ones are used."""
    from flows.certify import certify_calibs
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        diff = certify_calibs(
            opened,
            what,
            begin,
            end,
            collection=collection,
            mode=mode,
            reason=reason,
            dry_run=dry_run,
            readout_mode=readout_mode,
        )
    _show_diff(diff, as_json=as_json)
    return 0


@app.command(epilog=example("isrflow calibs decertify 1a2b3c4d --begin 2026-03-10 --reason 'dome light in the flats'"))
def decertify(
    *,
    what: Annotated[list[str], typer.Argument(metavar="RUN|DATASET...", help="A run, or (short) dataset ids.")],
    begin: BeginOption = None,
    end: EndOption = None,
    reason: ReasonOption = "",
    collection: CollectionOption = "calibs",
    dry_run: DryRunOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """End the validity of calibrations, in all or part of their time. Nothing is deleted; the past can be asked."""
    from flows.certify import decertify_calibs
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        diff = decertify_calibs(opened, what, begin, end, collection=collection, reason=reason, dry_run=dry_run)
    _show_diff(diff, as_json=as_json)
    return 0


@app.command("match-mode", epilog=example("isrflow calibs match-mode bias dark flat --reason 'two readout speeds'"))
def match_mode(
    *,
    kinds: Annotated[list[str], typer.Argument(metavar="TYPE...", help="Kinds of calibration.")],
    reason: ReasonOption = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Match kinds of calibration by readout mode from now on; for good, and before any is certified."""
    from flows.certify import match_modes
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        changed = match_modes(opened, kinds, reason=reason)
    told = [f"{kind}: matched by readout mode" + ("" if event else ", as before") for kind, event in changed.items()]
    emit(changed, as_json=as_json, text=lambda: say("\n".join(told)))
    return 0


@app.command(
    "list",
    epilog=example(
        "isrflow calibs list", "isrflow calibs list --type flat --json", "isrflow calibs list --as-of 2026-03-10"
    ),
)
def list_(
    *,
    kind: Annotated[str | None, typer.Option("--type", help="Only this kind.")] = None,
    collection: CollectionOption = "calibs",
    as_of: AsOfOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the certified calibrations and when they hold, in UTC and TAI."""
    from flows.certify import list_calibs
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        rows = list_calibs(opened, collection=collection, kind=kind, as_of=as_of)
    shown = [row | {"valid": f"{row['valid']}\n= {row['valid_tai']}"} for row in rows]
    mode = ["readout_mode"] if any(row["readout_mode"] for row in rows) else []

    def text() -> None:
        if rows:
            columns = ["type", "id", "detector", "filter", *mode, "valid", "run"]
            print_table(shown, columns, title=f"certified in {collection}")
        else:
            say(f"nothing is certified in {collection}\n  try: isrflow calibs certify RUN --begin YYYY-MM-DD")

    emit(rows, as_json=as_json, text=text)
    return 0


def _show_diff(diff: CertifyDiff, *, as_json: bool) -> None:
    from flows.present.output import emit, say

    emit(diff, as_json=as_json, text=lambda: say(diff.render()))
