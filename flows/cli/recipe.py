"""``isrflow recipe``: the table of contents of the pipeline, and every setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import PANEL_SINGLE, ConfigOption, JsonOption, SetOption, WithoutOption, example, recipe_layer

if TYPE_CHECKING:
    from isrflow.steps.recipe_base import Recipe

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_SINGLE,
    epilog=example("isrflow recipe", "isrflow recipe overscan --settings", "isrflow recipe --lsst --instrument lupine"),
)
def recipe(
    *,
    steps: Annotated[list[str] | None, typer.Argument(metavar="[STEP...]", help="Only these steps.")] = None,
    settings: Annotated[bool, typer.Option("--settings", help="List every setting with its default.")] = False,
    lsst: Annotated[bool, typer.Option("--lsst", help="The newer order, in electrons.")] = False,
    instrument: Annotated[
        str | None, typer.Option(metavar="NAME|FILE.yaml", help="Lay this camera's settings over the defaults.")
    ] = None,
    changes: SetOption = None,
    config: ConfigOption = None,
    without: WithoutOption = "",
    as_json: JsonOption = False,
) -> int:
    """Show what is done to an exposure: the steps in their order, what they need, and their settings."""
    from flows.present.output import emit, print_table
    from isrflow.frame.camera import load_camera
    from isrflow.quantum.config import recipe_for

    camera = load_camera(instrument) if instrument else None
    plan = recipe_for(camera, recipe_layer(changes, config, without, "lsst" if lsst else None))
    wanted = _wanted(plan, steps or [])
    rows = settings_table(plan, wanted) if settings else contents(plan, wanted)
    emit(rows, as_json=as_json, text=lambda: print_table(rows, title=f"{type(plan).__name__}, in order of work"))
    return 0


def contents(plan: Recipe, wanted: list[str]) -> list[dict[str, Any]]:
    """Return one row a step: whether it is on, its function, what it needs, what it does."""
    running = {row.name for row, _ in plan.enabled_rows()}
    return [
        {
            "step": row.name,
            "on": "yes" if row.name in running else "no",
            "function": row.step.function.__name__,
            "needs": [need.kind + ("?" if need.optional else "") for need in row.signature.needs],
            "gives": row.signature.gives.__name__ if row.signature.gives else None,
            "does": row.summary.rstrip("."),
        }
        for row in plan.rows
        if row.name in wanted
    ]


def settings_table(plan: Recipe, wanted: list[str]) -> list[dict[str, Any]]:
    """Return one row a setting: its value, its default, what it means."""
    rows = []
    for row in plan.rows:
        values, defaults = getattr(plan, row.name), type(plan).model_fields[row.name].default
        for name, item in row.config_type.model_fields.items() if row.name in wanted else ():
            value, default = getattr(values, name), getattr(defaults, name)
            rows.append(
                {
                    "setting": f"{row.name}.{name}",
                    "value": _text(value),
                    "default": _text(default),
                    "means": " ".join((item.description or "").split()),
                }
            )
    return rows


def _text(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _wanted(plan: Recipe, steps: list[str]) -> list[str]:
    from difflib import get_close_matches

    from isrflow.errors import ConfigError

    names = [row.name for row in plan.rows]
    unknown = [step for step in steps if step not in names]
    if unknown:
        near = [match for step in unknown for match in get_close_matches(step, names, n=1)]
        hint = f"; did you mean {', '.join(near)}?" if near else f" (there is {', '.join(names)})"
        raise ConfigError(f"no step named {', '.join(unknown)}{hint}", fix="isrflow recipe")
    return steps or names
