"""Getting at products: get, show, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import PANEL_LOOK, JsonOption, RepoOption, example

app = typer.Typer()

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="A (short) id, as `isrflow query` lists it.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]


@app.command(rich_help_panel=PANEL_LOOK, epilog=example("isrflow get 1a2b3c4d -o corrected.fits"))
def get(
    *,
    dataset: DatasetArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the copy goes; a directory keeps the name.")
    ],
    force: ForceOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Copy a dataset's file out of the repository."""
    import shutil

    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        ref = opened.butler.resolve_id(dataset)
        source = opened.butler.path(ref)
        target = output / source.name if output.is_dir() else output
        _refuse_existing(target, force=force)
        shutil.copyfile(source, target)
    emit({"dataset": ref, "output": target}, as_json=as_json, text=lambda: say(f"{ref} -> {target}"))
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow show 1a2b3c4d -o picture.png", "isrflow show 1a2b3c4d -o picture.png --no-mask"),
)
def show(
    *,
    dataset: DatasetArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PNG", help="Where the picture goes.")],
    mask: Annotated[bool, typer.Option("--mask/--no-mask", help="Colour masked pixels.")] = True,
    force: ForceOption = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Draw a raw, a calibration or a product as PNG, masked pixels coloured."""
    from flows.present.output import emit, say
    from flows.present.picture import draw_exposure, exposure_of
    from flows.repo import open_repo

    _refuse_existing(output, force=force)
    with open_repo(repo, read_only=True) as opened:
        ref = opened.butler.resolve_id(dataset)
        exposure = exposure_of(opened.butler.get(ref), str(ref))
    draw_exposure(exposure, output, title=str(ref), overlay=mask)
    emit({"dataset": ref, "output": output}, as_json=as_json, text=lambda: say(f"{ref} -> {output}"))
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow report 20260301", "isrflow report last --run try/order3 -o order3.html"),
)
def report(
    *,
    day: Annotated[str, typer.Argument(metavar="YYYYMMDD|last", help="The observing day.")],
    run: Annotated[str | None, typer.Option(help="Another run than night/YYYYMMDD.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="HTML", help="Where it goes; REPO/reports if not given.")
    ] = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write the report of a night: one HTML file that opens anywhere, without a network."""
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.report.write import write_report

    with open_repo(repo, read_only=True) as opened:
        path = write_report(opened, day, run=run, output=output)
    emit({"report": path}, as_json=as_json, text=lambda: say(f"report: {path}"))
    return 0


def _refuse_existing(path: Path, *, force: bool) -> None:
    from registry.errors import UserError

    if path.exists() and not force:
        raise UserError(f"{path} exists already", fix="another -o, or --force")
