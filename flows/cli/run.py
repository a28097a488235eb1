"""``isrflow run``: one detector of one raw file, without a repository."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import (
    PANEL_SINGLE,
    ConfigOption,
    JsonOption,
    RecipeOption,
    SetOption,
    WithoutOption,
    comma_list,
    example,
)

if TYPE_CHECKING:
    from isrflow.errors import MissingCalibrations

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_SINGLE,
    epilog=example(
        "isrflow run raw.fits --calib bias=bias.fits --without dark,flat,defects -o out.fits",
        "isrflow run raw.fits --instrument lupine --without bias,dark,flat,defects --show overscan -o out.fits",
    ),
)
def run(
    context: typer.Context,
    *,
    raw: Annotated[Path, typer.Argument(metavar="RAW.fits", help="One raw file.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.fits", help="Where the product goes.")],
    calib: Annotated[
        list[str] | None, typer.Option("--calib", metavar="KIND=FILE", help="A calibration (repeatable).")
    ] = None,
    without: WithoutOption = "",
    show: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="STEP,...", help="Draw the exposure after these steps, as OUT_STEP.png."),
    ] = None,
    instrument: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.yaml", help="The camera; else geometry comes from the file's section cards."),
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Id or name, if the header does not say.")] = None,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.fits.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Correct one detector of one raw file, without a repository.

    Steps that are on by default want their calibrations: give them with --calib, or say --without.
    """
    from flows.present.output import emit, say
    from flows.single import correct_file, is_possible_without
    from isrflow.errors import MissingCalibrations

    try:
        outcome = correct_file(
            raw,
            output,
            calibs=calib or [],
            without=comma_list(without),
            show=[step for item in show or [] for step in comma_list(item)],
            instrument=instrument,
            detector=detector,
            recipe=recipe,
            settings=settings or [],
            config=config,
            overwrite=force,
        )
    except MissingCalibrations as error:
        steps = [*comma_list(without), *(step for step, _ in error.missing)]
        is_possible = is_possible_without(
            steps, instrument=instrument, recipe=recipe, config=config, settings=settings or []
        )
        raise _with_commands(error, list(context.obj), is_possible=is_possible) from error
    emit(outcome, as_json=as_json, text=lambda: say(outcome.render()))
    return 0


def _with_commands(error: MissingCalibrations, arguments: list[str], *, is_possible: bool) -> MissingCalibrations:
    """Replace the advice by whole command lines, made from the one that was typed.

    Doing without the steps is advised only if the recipe can.
    """
    from isrflow.errors import MissingCalibrations

    steps = list(dict.fromkeys(step for step, _ in error.missing))
    kinds = list(dict.fromkeys(kind for _, kind in error.missing))
    wanted = "\n".join(f"  step {step} wants --calib {kind}=FILE" for step, kind in error.missing)
    typed = [item for item in arguments if item != "--json"]
    proceed = shlex.join(["isrflow", *_merge_without(typed, steps)])
    give = shlex.join(["isrflow", *typed]) + "".join(f" --calib {kind}=FILE" for kind in kinds)
    advice = f"{proceed}\n  or:  {give}" if is_possible else give
    return MissingCalibrations(f"{error.message}\n{wanted}", missing=error.missing, fix=advice)


def _merge_without(typed: list[str], steps: list[str]) -> list[str]:
    """Return the command line with `steps` added to its ``--without``."""
    for place, item in enumerate(typed):
        if item == "--without" and place + 1 < len(typed):
            return [*typed[: place + 1], ",".join([typed[place + 1], *steps]), *typed[place + 2 :]]
        if item.startswith("--without="):
            return [*typed[:place], ",".join([item, *steps]), *typed[place + 1 :]]
    return [*typed, "--without", ",".join(steps)]
