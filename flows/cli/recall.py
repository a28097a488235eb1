"""Calibrations that turned out to be bad: recall, unrecall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.night import EngineOption, tell_engine
from flows.cli.options import (
    PANEL_LOOK,
    CollectionsOption,
    JsonOption,
    ReasonOption,
    RepoOption,
    SetOption,
    WorkersOption,
    example,
)

if TYPE_CHECKING:
    from flows.outcome import RunReport
    from flows.repo import Repo
    from flows.settings import EngineName
    from registry.questions.recall import Recall

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
    engine: EngineOption = None,
    workers: WorkersOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Recall a calibration: what was made with it, what each product gets instead. Changes nothing unless told.

    With --mark it is marked bad and never used again (`isrflow unrecall` takes that back); with --go the products made
    with it are made again, and only those, into a run of their own.
    """
    from flows.cli.options import recipe_layer
    from flows.present.output import emit, remark, say
    from flows.questions import ask_recall, carry_out_recall, made_otherwise
    from flows.repo import open_repo
    from registry.errors import UserError

    if go and out is None:
        raise UserError("what is made again goes into a run of its own: name it", fix="--go --out redo/1a2b3c4d")
    doing = mark or go
    with open_repo(repo, read_only=not doing) as opened:
        answer = ask_recall(opened, what, reason, with_derived=with_derived, collections=tuple(collection or ()))
        layer = recipe_layer(settings, None, "")
        for run in made_otherwise(opened, answer, layer):
            remark(f"{run} was made with other settings than those of today; give them with --set to make it alike")
        if not doing:
            emit(answer.to_dict(), as_json=as_json, text=lambda: say(f"{answer.render()}\ndo it: {_recall_line(what)}"))
            return 0
        answer = carry_out_recall(opened, answer, out if go else None)
        report = None
        if go and out is not None and answer.data_ids:
            report = _make_again(opened, answer, out, settings=layer, engine=engine, workers=workers, quiet=as_json)
    told = {"recall": answer.to_dict(), "run": None if report is None else report.to_dict()}
    text = answer.render() + ("" if report is None else f"\n{report.render()}")
    text += f"\ntake it back: isrflow unrecall {' '.join(what)} --reason WHY"
    emit(told, as_json=as_json, text=lambda: say(text))
    return 0 if report is None else report.exit_code


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
    from flows.questions import find_datasets
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        kinds = [name for name, kind in opened.butler.dataset_types().items() if kind.is_calibration]
        done = opened.butler.unmark(find_datasets(opened, what, kinds), "bad", reason=reason)
    told = f"{len(done.changed)} unrecalled (event {done.seq})" if done.changed else "none of them was recalled"
    emit(done.to_dict(), as_json=as_json, text=lambda: say(told))
    return 0


def _make_again(
    repo: Repo,
    answer: Recall,
    out: str,
    *,
    settings: dict[str, Any],
    engine: EngineName | None,
    workers: int | None,
    quiet: bool,
) -> RunReport:
    """Make again what was made with the recalled calibrations, into a run of its own."""
    from flows.present.progress import progress_bar
    from flows.questions import reprocess_recalled

    tell_engine(repo, engine)
    with progress_bar(out, quiet=quiet) as advance:
        return reprocess_recalled(
            repo, answer, out, settings=settings, engine=engine, workers=workers, on_progress=advance
        )


def _recall_line(what: list[str]) -> str:
    return f"isrflow recall {' '.join(what)} --reason WHY --go --out redo/NAME (or --mark, to recall only)"
