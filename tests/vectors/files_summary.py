"""The line at the end of a run that says how many of the reference's files were read and written back."""

from __future__ import annotations

from typing import Any

NOT_COVERED = "not covered: "


def count_files(stats: dict[str, list[Any]]) -> dict[str, list[str]]:
    """Sort the files of a run into passed, failed and not covered; a file with one failure has failed."""
    found: dict[str, set[str]] = {"passed": set(), "failed": set(), "not covered": set()}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in stats.get(outcome, []):
            name = dict(getattr(report, "user_properties", ())).get("reference_file")
            if name is None:
                continue
            if outcome == "skipped":
                reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
                if NOT_COVERED in reason:
                    found["not covered"].add(name)
            else:
                found["passed" if outcome == "passed" else "failed"].add(name)
    found["passed"] -= found["failed"]
    return {kind: sorted(names) for kind, names in found.items()}


def write_files_summary(terminalreporter: Any) -> None:
    """Write the counts and names; call it from ``pytest_terminal_summary``."""
    found = count_files(terminalreporter.stats)
    if not any(found.values()):
        return
    write = terminalreporter.write_line
    passed, failed, uncovered = (len(found[kind]) for kind in ("passed", "failed", "not covered"))
    write("")
    write(f"files: {passed} passed, {failed} failed, {uncovered} not covered")
    for kind in ("failed", "not covered"):
        for name in found[kind]:
            write(f"  {kind}: {name}")
