"""Mistakes in typing a command, said the way all other errors are."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from flows.cli.options import examples_of
from flows.present.failures import USER_ERROR, Failure

_NOT_ONE_OF = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>.*)")


def describe_usage(error: Exception) -> Failure | None:
    """Return a usage error of typer as a failure with an example to type, or None if it is another kind of error."""
    from typer import TyperException

    if not isinstance(error, TyperException):
        return None
    context = getattr(error, "ctx", None)
    message = _message(error)
    if context is None:
        return Failure("UsageError", message, None, USER_ERROR)
    return Failure("UsageError", f"{context.command_path}: {message}", _next(message, context), USER_ERROR)


def _message(error: Any) -> str:
    near = getattr(error, "possibilities", None)
    text: str = (error.message if near is not None else error.format_message()).rstrip(".").replace("Value error, ", "")
    choice = _NOT_ONE_OF.search(text)
    if choice:
        near = get_close_matches(choice["given"], re.findall(r"'([^']*)'", choice["choices"]), n=1)
    return text + (f"; did you mean {' or '.join(near)}?" if near else "")


def _next(message: str, context: Any) -> str:
    known = getattr(context.command, "commands", {})
    meant = [name for name in known if f"mean '{name}'" in message]
    if meant:
        return f"{context.command_path} {meant[0]} --help"
    return next(iter(examples_of(context.command.epilog)), f"{context.command_path} --help")
