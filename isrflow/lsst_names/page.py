"""The page of the documentation that says what becomes of every LSST name, written from the tables.

``python -m isrflow.lsst_names.page > docs/reference/config-names.md``
"""

from __future__ import annotations

import sys
from typing import Any

from isrflow.lsst_names.classic import CLASSIC
from isrflow.lsst_names.names import Name
from isrflow.lsst_names.newer import NEWER
from isrflow.lsst_names.translate import NameTable

TABLES = ((CLASSIC, "IsrConfig"), (NEWER, "IsrLsstConfig"))
"""Each table, and the recipe whose `from_lsst` uses it."""

_HEAD = """# Names of LSST settings

<!-- Written by python -m isrflow.lsst_names.page; edit the tables in isrflow/lsst_names. -->

`IsrConfig.from_lsst({"doDark": False, "overscan.fitType": "MEDIAN_PER_ROW"})` takes settings under the names of LSST's
configuration, flat or nested, and lays them over LSST's defaults. A name that does nothing is accepted; if it is
changed, the log warns. A name, value or wish that cannot be honoured is refused, all of them at once. "-" in the column
of ours means that nothing depends on the name.
"""


def page() -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(_section(table, recipe) for table, recipe in TABLES)


def _section(table: NameTable, recipe: str) -> str:
    rows = "".join(_row(name) for name in table.names)
    return f"\n## {table.task} to {recipe}\n\n| LSST | default | ours | remark |\n|---|---|---|---|\n{rows}"


def _row(name: Name) -> str:
    ours = ", ".join(f"`{setting}`" for setting in name.ours) or "-"
    return f"| `{name.lsst}` | {_default(name)} | {ours} | {_remark(name)} |\n"


def _default(name: Name) -> str:
    return "" if name.lsst.endswith(".*") else f"`{_shown(name.default)}`"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(each) for each in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _remark(name: Name) -> str:
    if name.effect == "nothing":
        return f"no effect: {name.note}"
    if name.effect == "refused":
        return f"only the default: {name.note}"
    limit = name.limit.text if name.limit else ""
    return "; ".join(part for part in (limit, name.note) if part)


if __name__ == "__main__":
    sys.stdout.write(page())
