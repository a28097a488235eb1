"""Fixtures and hooks shared by all tests."""

from __future__ import annotations

from hypothesis import settings

from tests.vectors.files_summary import write_files_summary
from tests.vectors.summary import write_summary

# The first example of a test may compile a kernel; how long that takes says nothing.
settings.register_profile("isrflow", deadline=None)
settings.load_profile("isrflow")


def pytest_collection_modifyitems(items) -> None:
    """Begin with the module that takes longest: a worker that gets it last keeps everybody waiting."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")


def pytest_terminal_summary(terminalreporter) -> None:
    write_summary(terminalreporter)
    write_files_summary(terminalreporter)
