"""Write docs/steps: one page a step, from its signature, settings and docstring, and from watching it work.

Run with ``make step-pages``. What a page says of formula and units comes from the Notes section of the step's
docstring; planes, cards, cost and pictures from a simulated exposure.
"""

from __future__ import annotations

import inspect
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from demonstration import Demonstration, demonstrate
from griffe import Docstring, DocstringSectionKind, Parser
from pictures import draw

from isrflow.errors import IsrflowError
from isrflow.kernels.warm import warm_kernels
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.steps.recipe_base import Recipe, Row

logging.getLogger("griffe").setLevel(logging.ERROR)  # parameters without types in prose are no error here
PAGES = Path(__file__).parents[1] / "steps"
RECIPES: tuple[type[Recipe], ...] = (IsrConfig, IsrLsstConfig)


def main() -> None:
    """Write all pages and pictures, and the index."""
    warm_kernels()
    PAGES.mkdir(exist_ok=True)
    pages = {name: page_of(rows) for name, rows in functions().items()}
    for name, text in pages.items():
        (PAGES / f"{name}.md").write_text(text, encoding="utf-8")
    (PAGES / "index.md").write_text(index(), encoding="utf-8")
    print(f"{len(pages)} pages in {PAGES}", file=sys.stderr)


def functions() -> dict[str, list[tuple[type[Recipe], Row]]]:
    """Return step function to the rows it stands in, those that are on by default before others."""
    found: dict[str, list[tuple[type[Recipe], Row]]] = {}
    for recipe in RECIPES:
        for row in recipe.rows:
            found.setdefault(row.step.function.__name__, []).append((recipe, row))
    return {name: sorted(rows, key=lambda each: not is_on(*each)) for name, rows in found.items()}


def is_on(recipe: type[Recipe], row: Row) -> bool:
    """Whether a row is on by default."""
    return bool(recipe.model_fields[row.name].default.enabled)


def page_of(rows: list[tuple[type[Recipe], Row]]) -> str:
    """Return the page of a step function, its picture drawn."""
    recipe, row = rows[0]
    module = f"`{row.step.function.__module__}`"
    parts = [
        *told_by_code(rows),
        "## Seen at work",
        *seen(recipe, row),
        f"*Written from {module} by `docs/tools/step_pages.py`.*",
    ]
    return "\n\n".join(parts) + "\n"


def told_by_code(rows: list[tuple[type[Recipe], Row]]) -> list[str]:
    """Return the parts of a page that depend on the code alone; a test holds committed pages to them."""
    _, row = rows[0]
    parts = [
        f"# {row.step.function.__name__}",
        *told(row),
        "## Where it stands",
        table(("recipe", "row", "place", "by default"), (place(recipe, each) for recipe, each in rows)),
        "## What it takes and gives",
        *exchange(row),
        "## Settings",
        table(("setting", "type", "default", "meaning"), settings(row)),
    ]
    return [part for part in parts if part]


def told(row: Row) -> Iterator[str]:
    """Yield what the docstring tells: summary, formula, errors, source."""
    text = inspect.getdoc(row.step.function) or ""
    for section in Docstring(text).parse(Parser.numpy):
        if section.kind is DocstringSectionKind.text:
            yield str(section.value)
        elif section.kind is DocstringSectionKind.raises:
            yield "## Errors"
            yield table(("error", "when"), ((f"`{each.annotation}`", each.description) for each in section.value))
        elif section.kind is DocstringSectionKind.admonition:
            yield f"## {'Formula and units' if section.title == 'Notes' else section.title}"
            yield str(section.value.contents)


def place(recipe: type[Recipe], row: Row) -> tuple[str, str, str, str]:
    """Say where in a recipe a row stands."""
    number = [each.name for each in recipe.rows].index(row.name) + 1
    switch = "on" if is_on(recipe, row) else "off"
    return f"`{recipe.__name__}`", f"`{row.name}`", f"{number} of {len(recipe.rows)}", switch


def exchange(row: Row) -> Iterator[str]:
    """Yield the calibrations a step needs and the by-products it takes and gives."""
    signature = row.signature
    lines = [f"- needs the calibration `{need.kind}`{' (optional)' * need.optional}" for need in signature.needs]
    lines += [f"- takes `{kind.__name__}`{' (optional)' * optional}" for _, kind, optional in signature.takes]
    lines += ["- is told the camera"] * signature.wants_camera
    lines += [f"- gives `{signature.gives.__name__}`"] if signature.gives else []
    yield "\n".join(lines) or "Nothing but the exposure."


def settings(row: Row) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table of settings."""
    for name, field in row.config_type.model_fields.items():
        annotation = inspect.formatannotation(field.annotation).replace("typing.", "").replace("|", "\\|")
        yield f"`{name}`", f"`{annotation}`", f"`{field.default!r}`", (field.description or "").replace("\n", " ")


def seen(recipe: type[Recipe], row: Row) -> Iterator[str]:
    """Yield what one simulated exposure of the camera lupine showed."""
    try:
        shown = demonstrate(recipe, row.name)
    except IsrflowError as error:
        yield f"Not shown: {str(error).splitlines()[0]}"
        return
    name = row.step.function.__name__
    draw(shown, PAGES / f"{name}.png")
    yield f"![before and after]({name}.png)"
    yield "\n".join(f"- {line}" for line in facts(shown))


def facts(shown: Demonstration) -> Iterator[str]:
    """Yield what changed, in a line each."""
    for what, values in (("settings", shown.settings), ("flaws", shown.flaws)):
        if values:
            yield f"with the {what} {', '.join(f'`{key}: {value}`' for key, value in values.items())}"
    count, rms = shown.changed()
    if not shown.same_pixels:
        yield f"image: from {shown.before.image.shape} to {shown.after.image.shape} pixels (ny, nx)"
    elif count:
        yield f"image: {count} pixels changed, by {rms:.4g} {shown.after.unit} (root mean square)"
    else:
        yield "image: no pixel changed"
    bits = shown.new_bits()
    yield "mask: " + (", ".join(f"{name} set in {n} pixels" for name, n in bits.items()) or "no bit set")
    cards = list(shown.new_cards().items())
    yield "cards: " + (", ".join(f"`{name}` = `{value}`" for name, value in cards[:6]) or "none written")
    if len(cards) > 6:
        yield f"... and {len(cards) - 6} more cards of the kind"
    yield f"cost: {shown.seconds * 1e3:.1f} ms, {shown.seconds / copy_seconds(shown):.1f} copies of one of its planes"


def copy_seconds(shown: Demonstration) -> float:
    """Time one copy of a float32 plane of the exposure's size."""
    source = np.ones(shown.after.image.shape, np.float32)
    target = np.empty_like(source)
    times = []
    for _ in range(25):
        started = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def index() -> str:
    """Return the page that lists all steps in the order of both recipes."""
    order = "the order of work is that of the recipe (`isrflow recipe`, `isrflow recipe --lsst`)"
    parts = ["# Steps", f"One page a step; {order}."]
    for recipe in RECIPES:
        parts.append(f"## {recipe.__name__}")
        named = [(row, row.step.function.__name__) for row in recipe.rows]
        lines = ((n, f"`{row.name}`", f"[{name}]({name}.md)", row.summary) for n, (row, name) in enumerate(named, 1))
        parts.append(table(("", "row", "step", "what it does"), lines))
    return "\n\n".join(parts) + "\n"


def table(head: tuple[str, ...], rows: Any) -> str:
    """Return a Markdown table."""
    body = [f"| {' | '.join(str(cell).replace(chr(10), ' ') for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body])


if __name__ == "__main__":
    main()
