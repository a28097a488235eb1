"""Where the files of a repository are kept: one file a backend, one row each in `BACKENDS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from registry.datastore.base import Datastore


def _local(root: Path) -> Datastore:
    from registry.datastore.local import LocalDatastore

    return LocalDatastore(root)


def _memory(root: Path) -> Datastore:
    from registry.datastore.memory import MemoryDatastore

    return MemoryDatastore(root)


BACKENDS: dict[str, Callable[[Path], Datastore]] = {"local": _local, "memory": _memory}
"""The table of backends; `registry.datastore.contract` runs over every row of it."""
