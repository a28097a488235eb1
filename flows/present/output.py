"""Results on stdout, remarks on stderr.

A person on a terminal gets coloured tables; a pipe gets tab-separated columns, whole and without colour; ``--json``
gets one JSON document.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID


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
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)


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
