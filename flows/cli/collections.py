"""Collections: listed, chained, tagged, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.groups import InOrder
from flows.cli.options import JsonOption, ReasonOption, RepoOption, example

if TYPE_CHECKING:
    from flows.repo import Repo
    from registry.refs import DatasetRef

app = typer.Typer(cls=InOrder, help="List, chain, tag and freeze collections.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The collection.")]
DatasetsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[DATASET]...", help="(Short) ids; or use --where.")
]
WhereOption = Annotated[
    str, typer.Option("--where", metavar="WHERE", help="Which datasets; as for `isrflow query datasets`.")
]


@app.callback(invoke_without_command=True)
def collections(context: typer.Context) -> None:
    """List, chain, tag and freeze collections."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list", epilog=example("isrflow collections list", "isrflow collections list 'calibs/*' --members"))
def list_(
    *,
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="Only names like this (* and ?).")] = "*",
    members: Annotated[bool, typer.Option("--members", help="Count datasets by type, too.")] = False,
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """List collections: what kind they are, what a chain searches, how many datasets the others hold."""
    from flows.present.output import emit, print_table, say
    from flows.repo import open_repo

    with open_repo(repo, read_only=True) as opened:
        rows: list[dict[str, Any]] = []
        for one in opened.butler.collections(pattern):
            row = {"name": one.name, "kind": one.kind, "frozen": one.frozen, "children": list(one.children)}
            row |= {"datasets": one.n_datasets, "owner": one.owner, "doc": one.doc}
            rows.append(row | ({"members": opened.butler.members(one.name)} if members else {}))
    shown = [
        row
        | {
            "holds": _holds(row),
            "frozen": "frozen" if row["frozen"] else "",
        }
        for row in rows
    ]
    columns = ["name", "kind", "frozen", "holds", "owner", "doc"]
    emit(rows, as_json=as_json, text=lambda: print_table(shown, columns) if rows else say(f"no collection {pattern}"))
    return 0


@app.command(
    epilog=example(
        "isrflow collections chain best calibs/20260302 calibs/20260301",
        "isrflow collections chain best calibs/20260303 --prepend",
        "isrflow collections chain best calibs/20260301 --remove",
    )
)
def chain(
    *,
    name: NameArgument,
    children: Annotated[list[str], typer.Argument(metavar="COLLECTION...", help="Other collections, in order.")],
    prepend: Annotated[bool, typer.Option("--prepend", help="Search them before what is there.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Search them after what is there.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Search them no more.")] = False,
    reason: ReasonOption = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say which collections a chain searches, in order: the first that has what is asked for wins."""
    from flows.present.output import emit, say
    from flows.repo import open_repo
    from registry.errors import UserError
    from registry.sql.collection_edits import Edit

    ways: dict[Edit, bool] = {"prepend": prepend, "append": append, "remove": remove}
    chosen = [way for way, is_wanted in ways.items() if is_wanted]
    if len(chosen) > 1:
        raise UserError(f"--{' and --'.join(chosen)} exclude each other")
    with open_repo(repo) as opened:
        edit = opened.butler.edit_chain(name, children, chosen[0] if chosen else "set", reason=reason)
    data = {"chain": edit.name, "was": list(edit.was), "children": list(edit.children), "event": edit.seq}
    told = "nothing changed" if edit.seq is None else f"event {edit.seq}"
    emit(data, as_json=as_json, text=lambda: say(f"{name} searches {', '.join(edit.children) or 'nothing'} ({told})"))
    return 0


@app.command(
    epilog=example(
        "isrflow collections tag paper/2026 --where \"type = 'post_isr' and run = 'night/20260301'\"",
        "isrflow collections tag paper/2026 1a2b3c4d 5e6f7a8b",
    )
)
def tag(
    *,
    name: NameArgument,
    datasets: DatasetsArgument = None,
    where: WhereOption = "",
    reason: ReasonOption = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Put datasets into a selection of your own; one of each type and data id."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        refs = _selected(opened, datasets or [], where)
        n = opened.butler.tag(name, refs, reason=reason)
    data = {"collection": name, "tagged": n, "there_before": len(refs) - n}
    emit(data, as_json=as_json, text=lambda: say(f"{n} tagged in {name}, {len(refs) - n} were there already"))
    return 0


@app.command(epilog=example("isrflow collections untag paper/2026 1a2b3c4d --reason 'out of focus'"))
def untag(
    *,
    name: NameArgument,
    datasets: DatasetsArgument = None,
    where: WhereOption = "",
    reason: ReasonOption = "",
    repo: RepoOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take datasets out of a selection; that they were in it stays known."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        refs = _selected(opened, datasets or [], where)
        n = opened.butler.untag(name, refs, reason=reason)
    data = {"collection": name, "untagged": n, "not_in_it": len(refs) - n}
    emit(data, as_json=as_json, text=lambda: say(f"{n} taken out of {name}, {len(refs) - n} were not in it"))
    return 0


@app.command(epilog=example("isrflow collections freeze night/20260301 --reason 'data release 1'"))
def freeze(*, name: NameArgument, reason: ReasonOption, repo: RepoOption = None, as_json: JsonOption = False) -> int:
    """Let a run, a tag or a chain change no more, for ever; what works into it is refused."""
    from flows.present.output import emit, say
    from flows.repo import open_repo

    with open_repo(repo) as opened:
        seq = opened.butler.freeze(name, reason=reason)
    told = f"{name} is frozen" + (" already" if seq is None else f" (event {seq})")
    emit({"collection": name, "event": seq}, as_json=as_json, text=lambda: say(told))
    return 0


def _holds(row: dict[str, Any]) -> str:
    if row["kind"] == "CHAINED":
        return " -> ".join(row["children"]) or "nothing"
    if row.get("members"):
        return ", ".join(f"{n} {kind}" for kind, n in row["members"].items())
    return str(row["datasets"])


def _selected(repo: Repo, ids: list[str], where: str) -> list[DatasetRef]:
    from registry.errors import UserError

    if bool(ids) == bool(where.strip()):
        raise UserError("name datasets by their ids, or by --where, one of both", fix="isrflow query datasets")
    refs = [repo.butler.resolve_id(text) for text in ids] or repo.butler.datasets(where)
    if not refs:
        raise UserError(f"no dataset is selected by {where}", fix=f'isrflow query datasets "{where}"')
    return refs
