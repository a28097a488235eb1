"""Proving what there is: provenance, events, verify, replay, capsule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.options import (
    PANEL_CARE,
    PANEL_LOOK,
    AsOfOption,
    JsonOption,
    RepoOption,
    WorkersOption,
    example,
)

if TYPE_CHECKING:
    from flows.repo import Repo
    from registry.audit import Finding

app = typer.Typer()
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead.", show_default=False)
]


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example(
        "isrflow provenance 1a2b3c4d",
        "isrflow provenance 1a2b3c4d --format prov-json -o product.prov.json",
        "isrflow provenance night/20260301 --format prov-json -o night.prov.json",
    ),
)
def provenance(
    *,
    what: Annotated[
        str, typer.Argument(metavar="DATASET|RUN", help="A (short) id; for prov-json also the name of a run.")
    ],
    form: Annotated[
        Literal["text", "json", "prov-json"],
        typer.Option("--format", help="For people, as JSON, or W3C PROV-JSON of all that led to it."),
    ] = "text",
    output: OutputOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show how a product was made, of what and why, and whether its header says the same; exit 2 if it does not."""
    from flows.present.output import emit, say
    from flows.provenance import provenance_of
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        if form == "prov-json":
            return _write_prov(opened, what, output)
        found = provenance_of(opened, opened.butler.resolve_id(what))
    if output is not None:
        import json

        from flows.present.output import plain

        text = found.render() if form == "text" and not as_json else json.dumps(plain(found.to_dict()), indent=2)
        output.write_text(text + "\n", encoding="utf-8")
        return found.exit_code
    emit(found.to_dict(), as_json=as_json or form == "json", text=lambda: say(found.render()))
    return found.exit_code


@app.command(
    rich_help_panel=PANEL_LOOK,
    epilog=example("isrflow events", "isrflow events --kind certify --since 2026-03-01", "isrflow events --as-of 17"),
)
def events(
    *,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only these: certify, mark, ...", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="EVENT|TIME", help="From this event, or time (UTC), on.", show_default=False),
    ] = None,
    as_of: AsOfOption = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many, the newest; 0 is all.")] = 100,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List what people did to the registry, newest first: who, when, why."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo
    from registry.times import format_time

    with open_repo(repo, read_only=True) as opened:
        rows = opened.butler.events(limit or None, kind=kind, since=since, as_of=as_of)
        kinds = [] if rows or kind is None else sorted({row.kind for row in opened.butler.events(None)})
    shown = [
        {"event": row.seq, "at": format_time(row.at_ns), "by": row.actor, "kind": row.kind, "reason": row.reason}
        for row in rows
    ]
    full = [
        {**told, "payload": row.payload, "hash": row.hash, "prev_hash": row.prev_hash}
        for told, row in zip(shown, rows, strict=True)
    ]
    none = "no events match" + (f"; there is {', '.join(kinds)}" if kinds else "")
    emit(full, as_json=as_json, text=lambda: print_table(shown) if shown else say(none))
    return 0


@app.command(
    rich_help_panel=PANEL_CARE,
    epilog=example(
        "isrflow verify", "isrflow verify --full", "isrflow verify --full --where \"run = 'night/20260301'\""
    ),
)
def verify(
    *,
    full: Annotated[bool, typer.Option("--full", help="Read every file and compare its SHA-256.")] = False,
    where: Annotated[
        str,
        typer.Option(
            "--where",
            metavar="WHERE",
            help="Only the files of these datasets; no rows, log and orphans.",
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: mark nothing as missing.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Compare the registry with its files and with itself; exit 2 if anything is not as it should be.

    What is gone is marked missing, so that nothing uses it, and live again when it is back. Nothing is ever deleted.
    """
    from flows.outcome import Progress
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.repo import open_repo

    def tell(finding: Finding) -> None:
        if not as_json:
            say(finding.render())

    with open_repo(repo, read_only=dry_run) as opened, progress_bar("verify", quiet=as_json) as advance:
        report = opened.butler.verify(
            rehash=full,
            where=where,
            on_finding=tell,
            on_progress=lambda done, total, bad: advance(Progress(done, total, bad)),
        )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.headline))
    return report.exit_code


@app.command(
    rich_help_panel=PANEL_CARE,
    epilog=example(
        "isrflow replay 1a2b3c4d",
        "isrflow replay --sample 20 --run night/20260301",
        "isrflow replay product.crate.zip",
    ),
)
def replay(
    *,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATASET|CAPSULE]...", help="(Short) ids, or one file that `isrflow capsule` wrote."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", min=1, metavar="N", help="The products of N quanta chosen by chance.", show_default=False
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Of this run; without --sample all of it.", show_default=False),
    ] = None,
    night: Annotated[
        str | None,
        typer.Option("--night", metavar="YYYYMMDD", help="Of the exposures of this observing day.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Makes --sample choose the same again.", show_default=False)
    ] = None,
    workers: WorkersOption = None,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make products again of what was recorded, in a scratch place, and compare: reproduced, differs, impossible.

    Exit 0 if all were reproduced, 2 if some, 3 if none.
    """
    from flows.present.output import emit, say
    from flows.present.progress import progress_bar
    from flows.replay import replay_chosen
    from flows.repo import open_repo
    from registry.errors import UserError

    names = what or []
    if len(names) == 1 and names[0].endswith(".zip"):
        from flows.capsule_replay import replay_capsule

        result = replay_capsule(Path(names[0]))
        emit(result.to_dict(), as_json=as_json, text=lambda: say(result.render()))
        return result.exit_code
    if bool(names) == bool(sample or run or night):
        raise UserError(
            "say what to replay: ids of datasets, or --sample, --run, --night", fix="isrflow replay --sample 20"
        )
    with open_repo(repo) as opened, progress_bar("replay", quiet=as_json) as advance:
        report = replay_chosen(
            opened, names, number=sample, run=run, night=night, seed=seed, workers=workers, on_progress=advance
        )
    emit(report.to_dict(), as_json=as_json, text=lambda: say(report.render()))
    return report.exit_code


@app.command(rich_help_panel=PANEL_LOOK, epilog=example("isrflow capsule 1a2b3c4d -o product.crate.zip"))
def capsule(
    *,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A (short) id, as `isrflow query` lists it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.zip", help="The capsule to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Pack a product with all that it was made of (an RO-Crate), so that anyone can make it again anywhere."""
    from flows.capsule import write_capsule
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        written = write_capsule(opened, opened.butler.resolve_id(dataset), output, overwrite=force)
    emit(written.to_dict(), as_json=as_json, text=lambda: say(written.render()))
    return 0


def _write_prov(opened: Repo, what: str, output: Path | None) -> int:
    """Write PROV-JSON of a dataset or a run to a file, or to stdout."""
    import sys
    from contextlib import nullcontext

    from flows.present.output import remark

    is_run = bool(opened.butler.collections(what))
    about = what if is_run else opened.butler.resolve_id(what)
    place = nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8")
    with place as out:
        counts = opened.butler.write_prov(out, about)
    if output is not None:
        remark(f"{output}: {counts['entity']} entities, {counts['activity']} activities, {counts['agent']} agents")
    return 0
