"""What several commands share: options, examples, and how the repository is opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

RepoOption = Annotated[
    Path | None,
    typer.Option(
        "--repo",
        envvar="ISRFLOW_REPO",
        help="The repository; else the current directory or the nearest one above it that is one.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="EVENT|TIME", help="As it was after an event, or at a time (UTC).", show_default=False
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="Take calibrations from this frozen context (`isrflow context list`).",
        show_default=False,
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with your name and the time.")]
CollectionsOption = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Where to look instead of the repository's chain (repeatable)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="STEP.FIELD=VALUE", help="Change one setting of the recipe (repeatable)."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.yaml", help="Settings of the recipe, as YAML.")
]
WithoutOption = Annotated[
    str, typer.Option("--without", metavar="STEP,...", help="Switch these steps off.", show_default=False)
]
RecipeOption = Annotated[
    Literal["classic", "lsst"] | None,
    typer.Option(
        "--recipe",
        help="Which order of the steps: the classic one, or lsst, the newer one in electrons; else as camera and "
        "repository say.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Worker processes; one a core if not given.", show_default=False),
]

_KEEP_LINES = "\b"  # tells the formatter not to fold the paragraph
PANEL_NIGHT = "A night, in this order"
PANEL_LOOK = "Looking and asking"
PANEL_SINGLE = "Without a repository"
PANEL_CARE = "Care of the repository"


MARKUP: Literal["rich"] | None = "rich" if sys.stdout.isatty() else None
"""Help is drawn by rich on a terminal; in a pipe it is plain, and its import is spared."""


def example(*commands: str) -> str:
    """Write the examples at the foot of a command's help; the first is also what a usage error suggests."""
    heading = "Example" if len(commands) == 1 else "Examples"
    if MARKUP == "rich":
        return "\n\n".join([f"[bold]{heading}[/bold]", *(command.replace("[", "\\[") for command in commands)])
    return "\n".join([_KEEP_LINES, f"{heading}:", *(f"  {command}" for command in commands)])


def examples_of(epilog: str | None) -> list[str]:
    """Return the commands of what `example` wrote."""
    lines = [line.strip().replace("\\[", "[") for line in (epilog or "").splitlines()]
    return [line for line in lines if line.startswith("isrflow ")]


def comma_list(text: str) -> list[str]:
    """Split ``a,b,c``; blanks around and empty items do not count."""
    return [item.strip() for item in text.split(",") if item.strip()]


def recipe_layer(
    settings: list[str] | None, config: Path | None, without: str, recipe: str | None = None
) -> dict[str, Any]:
    """Return what --recipe, --config, --set and --without say, as one layer of recipe settings; later ones win."""
    from flows.single import parse_settings, read_settings_file

    layer: dict[str, Any] = {"recipe": recipe} if recipe else {}
    layer |= read_settings_file(config) if config else {}
    layer |= parse_settings(settings or [])
    return layer | {f"{step}.enabled": False for step in comma_list(without)}
