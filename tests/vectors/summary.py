"""The line at the end of a run that says how many reference vectors passed, counted from reports (xdist included)."""

from __future__ import annotations

from typing import Any

NOT_COVERED = "not covered: "
DIFFERENCE = "vector_differs"


def count_vectors(stats: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Sort the vectors of a run into passed, failed, not covered, and those that differ in part as documented."""
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
            elif outcome == "passed":
                found["passed"].append(name)
                if DIFFERENCE in properties:
                    found["differs"].append(f"{name} ({properties[DIFFERENCE]})")
            elif name not in found["failed"]:
                found["failed"].append(name)
    return found


def write_summary(terminalreporter: Any) -> None:
    """Write the counts and names; call it from ``pytest_terminal_summary``."""
    found = count_vectors(terminalreporter.stats)
    if not (found["passed"] or found["failed"] or found["not covered"]):
        return
    write = terminalreporter.write_line
    passed, failed, uncovered = (len(found[kind]) for kind in ("passed", "failed", "not covered"))
    write("")
    write(f"vectors: {passed} passed, {failed} failed, {uncovered} not covered")
    for kind in ("failed", "not covered"):
        for name in sorted(found[kind]):
            write(f"  {kind}: {name}")
    if found["differs"]:
        write(f"of those passed, {len(found['differs'])} differ in part as docs/compatibility.md says:")
        for name in sorted(found["differs"]):
            write(f"  {name}")
