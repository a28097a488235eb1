"""How commands are listed: in the order in which they are needed, under headings, no sentence cut off."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

ORDER = (
    *("init", "ingest", "calibs", "night", "reprocess"),
    *(
        "query",
        "explain",
        "lineage",
        "provenance",
        "events",
        "impact",
        "recall",
        "unrecall",
        "diff",
        "whatif",
        "coverage",
        "lint",
        "show",
        "get",
        "capsule",
        "report",
    ),
    *(
        "policy",
        "context",
        "flag",
        "header",
        "collections",
        "status",
        "recover",
        "verify",
        "delete",
        "gc",
        "replay",
        "export",
        "import",
        "db",
        "interop",
        "up",
        "down",
    ),
)


class InOrder(TyperGroup):
    """Lists its commands in the order of `ORDER`; those not in it follow in the order in which they were added."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings (where rich does not)."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            says = " ".join((command.help or "").partition("\n\n")[0].split())
            panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, says))
        for heading, rows in panels.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
