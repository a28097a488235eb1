"""``isrflow simulate``: a night of raws whose signature is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import PANEL_SINGLE, JsonOption, comma_list, example

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_SINGLE,
    epilog=example(
        "isrflow simulate raws --night 20260301",
        "isrflow simulate raws --night 20260301 --instrument mycamera.yaml --science 3 --seed 7",
    ),
)
def simulate(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the raws go.")],
    night: Annotated[str, typer.Option("--night", metavar="YYYYMMDD", help="The observing day.")],
    instrument: Annotated[
        str, typer.Option(metavar="NAME|FILE.yaml", help="A shipped instrument, or a camera file of your own.")
    ] = "tiny",
    science: Annotated[int, typer.Option(min=0, help="Science exposures, shared among the filters.")] = 4,
    bias: Annotated[int, typer.Option(min=0, help="Bias exposures.")] = 5,
    dark: Annotated[int, typer.Option(min=0, help="Dark exposures.")] = 3,
    flat: Annotated[int, typer.Option(min=0, help="Flat exposures a filter.")] = 5,
    filters: Annotated[str, typer.Option(metavar="A,B", help="Filters; all of the camera if not given.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same night.")] = 1,
    as_json: JsonOption = False,
) -> int:
    """Simulate the raws of an afternoon and a night, for any camera, with the truth beside them."""
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.simulate import simulate_into

    with progress_bar("simulating", quiet=as_json) as advance:
        report = simulate_into(
            directory,
            night,
            instrument=instrument,
            n_science=science,
            n_bias=bias,
            n_dark=dark,
            n_flat=flat,
            filters=comma_list(filters),
            seed=seed,
            on_progress=advance,
        )
    emit(report, as_json=as_json, text=lambda: say(report.render()))
    return 0
