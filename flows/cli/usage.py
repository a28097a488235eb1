"""Mistakes in typing a command, said the way all other errors are."""

from __future__ import annotations

from typing import Any

from flows.cli.options import first_example
from flows.present.failures import ALL_OK, USER_ERROR, Failure


def describe_usage(error: Exception) -> Failure | None:
    """Return a usage error of typer as a failure with an example to type, or None if it is another kind of error."""
    from typer import TyperException

    if not isinstance(error, TyperException):
        return None
    context = getattr(error, "ctx", None)
    if context is None:
        return Failure("UsageError", error.format_message(), None, USER_ERROR)
    near = getattr(error, "possibilities", None)
    message = error.message if near is not None else error.format_message()
    message = message.rstrip(".") + (f"; did you mean {' or '.join(near)}?" if near else "")
    example = first_example(context.command.epilog) or f"{context.command_path} --help"
    return Failure("UsageError", f"{context.command_path}: {message}", _next(message, context, example), USER_ERROR)


def _next(message: str, context: Any, example: str) -> str:
    known = getattr(context.command, "commands", {})
    meant = [name for name in known if f"mean '{name}'" in message]
    return f"{context.command_path} {meant[0]} --help" if meant else example


__all__ = ["ALL_OK", "describe_usage"]
