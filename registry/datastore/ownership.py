"""Whose files a store holds: a small file in it names the repository, and no other may use the place.

Two repositories that shared a place would take each other's files for litter.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from registry.datastore.base import OWN, Datastore, temporary_name
from registry.datastore.opening import open_datastore
from registry.errors import UnavailableError, UserError

MARKER = f"{OWN}repository"


def claim(store: Datastore, uuid: UUID, root: Path) -> None:
    """Make an empty place the store of a new repository.

    Raises
    ------
    UserError
        If something is there already, or the place lies inside that of another repository.
    """
    refuse_others(store, uuid)
    for outer in _around(store.url):
        found = _marker(open_datastore(outer))
        if found is not None:
            message = f"{store.url} lies inside {outer}, which {_spoken(found)}"
            raise UserError(message, fix="choose a place outside of it")
    first = next(iter(store.scan()), None)
    if first is not None and _marker(store) is None:
        raise UserError(f"{store.url} is not empty: it holds {first.path}", fix="choose an empty folder or prefix")
    mark(store, uuid, root)


def adopt(store: Datastore, uuid: UUID, root: Path) -> None:
    """Write whose a store is that holds files from before stores were marked.

    An empty one is left as it is: it may be the place where a disk is not mounted.
    """
    if _marker(store) is None and next(iter(store.scan()), None) is not None:
        mark(store, uuid, root)


def mark(store: Datastore, uuid: UUID, root: Path) -> None:
    """Write whose a store is, if it does not say so yet."""
    if _marker(store) is not None:
        return
    made = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"uuid": str(uuid), "root": str(root), "host": socket.gethostname(), "since": made}, indent=1)
    temporary = temporary_name(MARKER, secrets.token_hex(4))
    store.stage(temporary, lambda path: path.write_text(f"{text}\n", encoding="utf-8"))
    try:
        store.publish({temporary: MARKER})
    except FileExistsError:  # somebody was quicker: perhaps not for this repository
        store.delete(temporary)
        refuse_others(store, uuid)


def refuse_others(store: Datastore, uuid: UUID) -> bool:
    """Refuse a store that belongs to another repository; return whether it is marked as this one's.

    Raises
    ------
    UnavailableError
        Saying whose it is.
    """
    found = _marker(store)
    if found is None:
        return False
    if found.get("uuid") != str(uuid):
        message = f"{store.url} {_spoken(found)}, not to this one ({uuid})"
        fix = "open that repository, or give this one a place of its own; do not remove the marker"
        raise UnavailableError(message, fix=fix)
    return True


def _marker(store: Datastore) -> dict[str, Any] | None:
    """Return what a store says about itself; None if it says nothing."""
    try:
        with store.local_copy(MARKER) as path:
            found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _spoken(found: dict[str, Any]) -> str:
    if "uuid" not in found:
        return f"has a {MARKER} that cannot be read"
    where = f"{found.get('root')} on {found.get('host')}, since {found.get('since')}"
    return f"belongs to the repository {found['uuid']} ({where})"


def _around(url: str) -> Iterator[str]:
    """Yield the places that a place lies in, nearest first."""
    if "://" not in url:
        yield from (str(folder) for folder in Path(url).parents)
        return
    parts = urlsplit(url)
    path = parts.path.strip("/")
    while path:
        path = path.rpartition("/")[0]
        with suppress(UserError):
            yield urlunsplit((parts.scheme, parts.netloc, path, "", ""))
