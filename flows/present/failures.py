"""Errors as people and programs meet them: what, where, why, what to try next. No traceback, unless asked for."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass

ALL_OK = 0
USER_ERROR = 1
PARTIAL = 2
NOTHING_SUCCEEDED = 3
REGISTRY_UNAVAILABLE = 4
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, ready to be printed."""

    kind: str
    message: str
    fix: str | None
    exit_code: int


INTERRUPTION = Failure(
    "Interrupted",
    "interrupted; what was finished is kept and will not be done again",
    "the same command does the rest",
    INTERRUPTED,
)


def describe(error: BaseException) -> Failure:
    """Turn any exception into what is printed of it; what nobody foresaw is called a defect of isrflow."""
    from isrflow.errors import IsrflowError
    from registry.errors import RegistryError

    kind = type(error).__name__
    if isinstance(error, RegistryError):
        return Failure(kind, error.message, error.fix, error.exit_code)
    if isinstance(error, IsrflowError):
        return Failure(kind, error.message, error.fix, USER_ERROR)
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(kind, f"{error.filename}: {error.strerror}", None, USER_ERROR)
    if isinstance(error, (OSError, MemoryError)):
        return Failure(kind, f"{kind}: {error}", None, USER_ERROR)
    message = f"{kind}: {error} (a defect of isrflow, not of your data)"
    return Failure(kind, message, "set ISRFLOW_DEBUG=1 to see where, and report it", NOTHING_SUCCEEDED)


def report(failure: Failure, *, as_json: bool = False, error: BaseException | None = None) -> int:
    """Print a failure (text on stderr; with `as_json` also a JSON document on stdout) and return its exit code."""
    if error is not None and os.environ.get("ISRFLOW_DEBUG", "") not in {"", "0"}:
        traceback.print_exception(error)
    if as_json:
        document = {
            "error": failure.kind,
            "message": failure.message,
            "try": failure.fix,
            "exit_code": failure.exit_code,
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stderr.write(f"{_red('error:')} {failure.message}\n")
    if failure.fix:
        sys.stderr.write(f"  try: {failure.fix}\n")
    sys.stderr.flush()
    return failure.exit_code


def _red(text: str) -> str:
    return f"\x1b[1;31m{text}\x1b[0m" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else text
