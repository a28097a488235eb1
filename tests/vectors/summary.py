"""The line at the end of a run that says how many reference vectors passed, counted from reports (xdist included)."""

from __future__ import annotations

from typing import Any

NOT_COVERED = "not covered: "
DIFFERENCE = "vector_differs"


def count_vectors(stats: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Sort the vectors of a run into passed, failed, not covered, and those that differ as documented."""
    found: dict[str, list[str]] = {"passed": [], "failed": [], "not covered": [], "differs": []}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", ()))
            name = properties.get("vector")
            if name is None:
                continue
            if outcome == "skipped":
                reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
                if NOT_COVERED in reason:
                    found["not covered"].append(name)
            elif outcome == "passed" and DIFFERENCE in properties:
                found["differs"].append(f"{name} ({properties[DIFFERENCE]})")
            elif outcome == "passed":
                found["passed"].append(name)
            elif name not in found["failed"]:
                found["failed"].append(name)
    return found


def write_summary(terminalreporter: Any) -> None:
    """Write the counts and names; call it from ``pytest_terminal_summary``."""
    found = count_vectors(terminalreporter.stats)
    if not any(found.values()):
        return
    write = terminalreporter.write_line
    passed, failed, uncovered = (len(found[kind]) for kind in ("passed", "failed", "not covered"))
    write("")
    write(
        f"vectors: {passed} passed, {failed} failed, {uncovered} not covered; "
        f"{len(found['differs'])} more agree but for a condition of docs/compatibility.md"
    )
    for kind in ("failed", "not covered"):
        for name in sorted(found[kind]):
            write(f"  {kind}: {name}")
    for name in sorted(found["differs"]):
        write(f"  agrees but for: {name}")
