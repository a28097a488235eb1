"""Printing what a query answered, in the format that was asked for."""

from __future__ import annotations

import csv
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

from flows.present.output import emit, plain, print_table, remark, say

if TYPE_CHECKING:
    from registry.query.empty import EmptyAnswer
    from registry.query.rows import Rows

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def print_rows(rows: Rows, format_: Literal["table", "json", "csv", "ecsv"], *, paged: bool = False) -> None:
    """Print rows on stdout, and on stderr how to get the next page.

    Parameters
    ----------
    rows
        The answer.
    format_
        ``table`` for people, the others for programs.
    paged
        Whether JSON is one page with the token of the next, and not the bare list.
    """
    if format_ == "json":
        data = {"rows": list(rows), "next_page": rows.next_page} if paged else list(rows)
        emit(data, as_json=True, text=lambda: None)
    elif format_ == "csv":
        writer = csv.DictWriter(sys.stdout, rows.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(plain, rows))
    elif format_ == "ecsv":
        rows.to_table().write(sys.stdout, format="ascii.ecsv")
    elif rows:
        print_table([_shortened(row) for row in rows], rows.columns)
    if rows.next_page and not (format_ == "json" and paged):
        remark(f"there are more; go on with the same query and --page {rows.next_page}")


def print_explained(answer: EmptyAnswer, *, as_table: bool) -> None:
    """Say why there are no rows: to people as the answer, to programs beside it."""
    (say if as_table else remark)(answer.render())


def _shortened(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with ids cut to eight digits; `isrflow` takes those anywhere."""
    return {name: str(value)[:8] if _UUID.fullmatch(str(value)) else value for name, value in row.items()}
