"""Warnings of the steps on stderr, without the thousandth copy of one."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

SHOWN = 3
"""How often a process prints one kind of warning; each is about another exposure."""


class SparingHandler(logging.Handler):
    """Prints the first few warnings of each kind, and says once that there are more."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless enough of its kind were."""
        kind = (record.name, str(record.msg))  # the message before names and numbers are filled in
        self._seen[kind] += 1
        if self._seen[kind] <= SHOWN:
            more = "; further ones of this kind are not shown" if self._seen[kind] == SHOWN else ""
            sys.stderr.write(f"{record.levelname.lower()}: {record.getMessage()}{more}\n")
            sys.stderr.flush()


def show_warnings() -> SparingHandler:
    """Print what the steps warn of from now on, sparingly."""
    handler = SparingHandler()
    logging.getLogger("isrflow").addHandler(handler)
    return handler


@contextmanager
def warnings_shown() -> Iterator[None]:
    """Print what the steps warn of in a block, sparingly."""
    handler = show_warnings()
    try:
        yield
    finally:
        logging.getLogger("isrflow").removeHandler(handler)
