"""Asking the registry: query, explain, lineage."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import typer

from flows.cli.options import PANEL_LOOK, JsonOption, RepoOption, example

app = typer.Typer()

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
What = Literal["exposures", "datasets", "collections", "quanta"]


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow query exposures \"obs_type = 'science' and day_obs = 20260301\"",
        "isrflow query datasets \"type = 'post_isr' and detector = 2\" --limit 5",
        "isrflow query quanta \"state = 'failed'\"",
        "isrflow query exposures --fields",
    ),
)
def query(
    *,
    what: Annotated[What, typer.Argument(help="What to list.")],
    where: Annotated[str, typer.Argument(metavar="[WHERE]", help="Which; all if not given.")] = "",
    order_by: Annotated[
        list[str] | None, typer.Option("--order-by", metavar="FIELD", help="Sort; -FIELD sorts downwards (repeatable).")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.", show_default=False)] = None,
    columns: Annotated[str, typer.Option("--columns", metavar="A,B,...", help="Only these columns.")] = "",
    fields: Annotated[bool, typer.Option("--fields", help="List what WHERE can ask about, and stop.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List exposures, datasets, collections or quanta.

    WHERE compares fields: = != < <= > >=, in (a, b), in a..b, ~ 'pattern*', is null, and, or, not. Texts stand in
    quotes, days are YYYYMMDD, times quoted UTC.
    """
    from flows.cli.options import comma_list
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    if fields:
        return _list_fields(what, as_json=as_json)
    with open_repo(repo, read_only=True) as opened:
        rows = opened.butler.query(what, where, order_by=tuple(order_by or ()), limit=limit)
    if columns:
        rows = _only(rows, comma_list(columns))

    def text() -> None:
        if rows:
            print_table([_shortened(row) for row in rows], None if columns else _shown(what, rows[0]))
        else:
            say(f"no {what} match")

    emit(rows, as_json=as_json, text=text)
    return 0


@app.command(rich_help_panel=PANEL_LOOK, epilog=example("isrflow explain 20260301005 2 flat"))
def explain(
    *,
    exposure: Annotated[int, typer.Argument(metavar="EXPOSURE", help="The exposure's id.")],
    detector: Annotated[str, typer.Argument(metavar="DETECTOR", help="The detector's id or name.")],
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The kind of calibration: bias, dark, flat, ...")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="Where to look instead of the repository's chain.")
    ] = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say why this calibration was chosen for this exposure, why the others were not, and what would mend it."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        number = opened.camera.detector(int(detector) if detector.isdecimal() else detector).id
        collections = tuple(collection or opened.settings.collections)
        answer = opened.butler.explain(exposure, number, kind, collections)
    emit(answer.to_dict(), as_json=as_json, text=lambda: say(answer.render()))
    return 0


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow lineage 1a2b3c4d", "isrflow lineage 1a2b3c4d --down"),
)
def lineage(
    *,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A (short) id.")],
    down: Annotated[
        bool, typer.Option("--down/--up", help="What was made from it, instead of what it was made from.")
    ] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show everything a product was made from; or, with --down, every product made from it."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        ref = opened.butler.resolve_id(dataset)
        tree = opened.butler.lineage(ref, "down" if down else "up")
    emit(tree.to_dict(), as_json=as_json, text=lambda: say(tree.render()))
    return 0


def _only(rows: list[dict[str, Any]], columns: list[str]) -> list[dict[str, Any]]:
    from registry.errors import UnknownName

    unknown = [name for name in columns if rows and name not in rows[0]]
    if unknown:
        raise UnknownName(kind="column", name=", ".join(unknown), known=list(rows[0]))
    return [{name: row[name] for name in columns} for row in rows]


def _shown(what: What, row: dict[str, Any]) -> list[str]:
    """Return the columns that a table for people has."""
    from registry.query.fields import subject

    return [name for name in subject(what).shown if name in row]


def _shortened(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with ids cut to eight digits; `isrflow` takes those anywhere."""
    return {name: str(value)[:8] if _UUID.fullmatch(str(value)) else value for name, value in row.items()}


def _list_fields(what: What, *, as_json: bool) -> int:
    from flows.present.output import emit, print_table
    from registry.query.fields import subject

    fields = subject(what).fields
    rows = [{"field": name, "is": item.kind.value, "known": list(item.known)} for name, item in fields.items()]
    emit(rows, as_json=as_json, text=lambda: print_table(rows))
    return 0
