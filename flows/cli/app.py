"""The commands put together, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flows.cli import (
    calibs,
    collections,
    contexts,
    datasets,
    demo,
    explain,
    flag,
    header,
    ingest,
    interop,
    moving,
    night,
    policies,
    proof,
    query,
    questions,
    recall,
    recipe,
    repo,
    reprocess,
    simulate,
    storage,
)
from flows.cli import run as run_one
from flows.cli.groups import InOrder
from flows.cli.options import MARKUP, PANEL_CARE, PANEL_NIGHT
from flows.cli.usage import describe_usage
from flows.present.failures import ALL_OK, INTERRUPTED, INTERRUPTION, describe, report
from flows.present.warnings import warnings_shown

app = typer.Typer(
    name="isrflow",
    cls=InOrder,
    epilog="Exit codes: 0 all ok, 1 user error, 2 partial, 3 nothing succeeded, 4 registry unavailable. With --json, "
    "errors too are one JSON document on stdout.",
    add_completion=False,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for group in (
    repo,
    ingest,
    night,
    reprocess,
    query,
    explain,
    questions,
    recall,
    datasets,
    proof,
    run_one,
    recipe,
    simulate,
    storage,
    moving,
    demo,
):
    app.add_typer(group.app)
app.add_typer(calibs.app, name="calibs", rich_help_panel=PANEL_NIGHT)
app.add_typer(policies.app, name="policy", rich_help_panel=PANEL_CARE)
app.add_typer(contexts.app, name="context", rich_help_panel=PANEL_CARE)
app.add_typer(collections.app, name="collections", rich_help_panel=PANEL_CARE)
app.add_typer(flag.app, name="flag", rich_help_panel=PANEL_CARE)
app.add_typer(header.app, name="header", rich_help_panel=PANEL_CARE)
app.add_typer(repo.db_app, name="db", rich_help_panel=PANEL_CARE)
app.add_typer(interop.app, name="interop", rich_help_panel=PANEL_CARE)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Remove the instrument signature from CCD exposures, and be able to prove what made each product.

    New here? `isrflow demo` simulates a night, processes it, and tells what to try next.
    """
    if version:
        from isrflow import __version__

        typer.echo(f"isrflow {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 all ok, 1 user error, 2 partial, 3 nothing succeeded, 4 registry unavailable, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        with warnings_shown():
            code = app(arguments, prog_name="isrflow", standalone_mode=False, obj=tuple(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_has_gone()
    except SystemExit as ending:  # typer turns a broken pipe into one; any other is meant
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
        return _reader_has_gone()
    except Exception as error:  # noqa: BLE001 - the boundary: everything becomes a message and an exit code
        usage = describe_usage(error)
        return report(usage or describe(error), as_json=as_json, error=None if usage else error)
    if code == INTERRUPTED:
        return report(INTERRUPTION, as_json=as_json)
    return code if isinstance(code, int) else ALL_OK


def _reader_has_gone() -> int:
    """Return success: `isrflow query ... | head` is no error. What is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ALL_OK
