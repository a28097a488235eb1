"""Calibrations that turned out to be bad: recall, unrecall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.night import EngineOption, tell_engine
from flows.cli.options import (
    PANEL_LOOK,
    CollectionsOption,
    ConfigOption,
    JsonOption,
    ReasonOption,
    RepoOption,
    SetOption,
    WorkersOption,
    example,
)

if TYPE_CHECKING:
    from flows.redo import Redo, Redone
    from flows.repo import Repo
    from flows.settings import EngineName

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow recall 1a2b3c4d --reason 'light leak in the dome'",
        "isrflow recall 1a2b3c4d --reason 'light leak in the dome' --go --out redo/flat-leak",
    ),
)
def recall(
    *,
    what: Annotated[list[str], typer.Argument(metavar="RUN|DATASET...", help="Calibrations: (short) ids, or a run.")],
    reason: ReasonOption,
    mark: Annotated[bool, typer.Option("--mark", help="Do it: mark them bad, so that nothing uses them.")] = False,
    go: Annotated[bool, typer.Option("--go", help="Do it, and make again what was made with them.")] = False,
    out: Annotated[str | None, typer.Option("--out", metavar="RUN", help="The collection for what is made.")] = None,
    with_derived: Annotated[
        bool, typer.Option("--with-derived", help="Recall the calibrations that were made with them, too.")
    ] = False,
    collection: CollectionsOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Recall a calibration: what was made with it, what each product gets instead. Changes nothing unless told.

    With --mark it is marked bad and never used again (`isrflow unrecall` takes that back); with --go the products made
    with it are made again, and only those, each with the settings it was made with, into a run of their own.
    """
    from flows.cli.options import recipe_layer
    from flows.present.output import emit, remark, say
    from flows.recall import ask_recall, carry_out_recall
    from flows.redo import plan_redo
    from flows.repo import open_repo
    from registry.errors import UserError

    if go and out is None:
        raise UserError("what is made again goes into a run of its own: name it", fix="--go --out redo/1a2b3c4d")
    where = tuple(collection or ())
    with open_repo(repo, read_only=not (mark or go)) as opened:
        answer = ask_recall(opened, what, reason, with_derived=with_derived, collections=where)
        redo = plan_redo(opened, answer, out or "redo/NAME", recipe_layer(settings, config, ""))
        told: dict[str, Any] = {"recall": answer.to_dict(), "redo": redo.to_dict()}
        if not (mark or go):
            emit(told, as_json=as_json, text=lambda: say(_joined(answer.render(), redo.render(), _recall_line(what))))
            return 0
        done = carry_out_recall(opened, answer, redo.out_runs or (out or "",) if go else ())
        redone = None
        if go:
            remark(redo.render() or "nothing is to be made again")
            redone = _make_again(opened, redo, where, engine, workers, quiet=as_json)
    runs = None if redone is None else [report.to_dict() for report in redone.reports]
    back = f"take it back: isrflow unrecall {' '.join(what)} --reason WHY"
    text = _joined(done.render(), redone.render() if redone else "", back)
    emit(told | {"recall": done.to_dict(), "runs": runs}, as_json=as_json, text=lambda: say(text))
    return 0 if redone is None else redone.exit_code


@app.command(rich_help_panel=PANEL_LOOK, epilog=example("isrflow unrecall 1a2b3c4d --reason 'it was the shutter'"))
def unrecall(
    *,
    what: Annotated[list[str], typer.Argument(metavar="RUN|DATASET...", help="Calibrations that were recalled.")],
    reason: ReasonOption,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take the recall of calibrations back; they are used again where they are certified."""
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from flows.selection import find_datasets

    with open_repo(repo) as opened:
        kinds = [name for name, kind in opened.butler.dataset_types().items() if kind.is_calibration]
        done = opened.butler.unmark(find_datasets(opened, what, kinds), "bad", reason=reason)
    told = f"{len(done.changed)} unrecalled (event {done.seq})" if done.changed else "none of them was recalled"
    emit(done.to_dict(), as_json=as_json, text=lambda: say(told))
    return 0


def _make_again(
    repo: Repo,
    redo: Redo,
    collections: tuple[str, ...],
    engine: EngineName | None,
    workers: int | None,
    *,
    quiet: bool,
) -> Redone:
    """Make again what was made with the recalled calibrations."""
    from flows.present.progress import progress_bar
    from flows.redo import carry_out_redo

    if redo.possible:
        tell_engine(repo, engine)
    with progress_bar(" ".join(redo.out_runs), quiet=quiet or not redo.possible) as advance:
        return carry_out_redo(repo, redo, collections=collections, engine=engine, workers=workers, on_progress=advance)


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _recall_line(what: list[str]) -> str:
    return f"do it: isrflow recall {' '.join(what)} --reason WHY --go --out redo/NAME (or --mark, to recall only)"
