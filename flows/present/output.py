"""Results on stdout, remarks on stderr.

A person on a terminal gets coloured tables; a pipe gets tab-separated columns, whole and without colour; ``--json``
gets one JSON document.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal
from uuid import UUID

LONG = 36
"""A text longer than this may be folded in a table on a terminal."""
_NUMBER = re.compile(r"-?[\d.]+(e[+-]?\d+)?")
_WHOLE_SECONDS = re.compile(r"T(\d\d:\d\d:\d\d)\.000 UTC")


def emit(data: object, *, as_json: bool, text: Callable[[], None]) -> None:
    """Print `data` as JSON, or call `text` to say the same to a person."""
    if as_json:
        sys.stdout.write(json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        text()


def say(message: str = "") -> None:
    """Print one line of the result."""
    sys.stdout.write(message + "\n")


def remark(message: str) -> None:
    """Print one line about the work (not part of the result) on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def print_table(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None, *, title: str = "") -> None:
    """Print rows as a table: with rich on a terminal, tab-separated (nothing cut off) in a pipe.

    Parameters
    ----------
    rows
        Mappings from column to value; a missing or None value is shown as nothing.
    columns
        Which columns, in which order; those of the first row if not given.
    title
        Shown on a terminal only.
    """
    names = list(columns) if columns is not None else list(rows[0] if rows else ())
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    if sys.stdout.isatty():
        _print_rich(names, cells, title)
        return
    for line in [names, *cells]:
        say("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in line))


def _print_rich(names: list[str], cells: list[list[str]], title: str) -> None:
    """Print a table on a terminal; only long texts are folded, and a table wider than the terminal is still whole."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[_WHOLE_SECONDS.sub(r" \1", cell) for cell in line] for line in cells]
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", show_edge=False, padding=(0, 1, 0, 0))
    for name, column in zip(names, zip(*cells, strict=True) if cells else [()] * len(names), strict=True):
        numeric = all(_NUMBER.fullmatch(cell) for cell in column if cell)
        width = min(LONG, max(len(name), *(len(cell) for cell in column), 0))  # what is shorter is never folded
        justify: Literal["left", "right"] = "right" if numeric and column else "left"
        table.add_column(name, overflow="fold", min_width=width, justify=justify)
    for line in cells:
        table.add_row(*map(Text, line))
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=10_000)).minimum
    (console if needed <= console.width else Console(width=needed)).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    return str(plain(value))


def plain(value: object) -> Any:
    """Reduce a value to what JSON can hold: dataclasses to mappings, ids, paths and times to text, NaN to null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, (UUID, PurePath)):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return plain(value.item()) if hasattr(value, "item") else str(value)
