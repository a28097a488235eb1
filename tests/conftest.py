"""Fixtures and hooks shared by all tests."""

from __future__ import annotations

from tests.vectors.summary import write_summary


def pytest_terminal_summary(terminalreporter) -> None:
    write_summary(terminalreporter)
