"""Which backend keeps the files: the table of backends, by the scheme of their URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from registry.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.datastore.base import Datastore


def open_datastore(address: str) -> Datastore:
    """Return the store that a URL names; a plain path is a folder.

    Raises
    ------
    UserError
        If no backend has this scheme, or the URL is not one.
    UnavailableError
        If what the backend needs is not installed.
    """
    scheme = address.partition("://")[0] if "://" in address else "file"
    if scheme not in BACKENDS:
        known = ", ".join(f"{name}://" for name in BACKENDS)
        fix = "name a folder, or s3://BUCKET/PREFIX"
        raise UserError(f"files cannot be kept at {address!r}: there is {known}, or a path", fix=fix)
    return BACKENDS[scheme](address)


def _local(url: str) -> Datastore:
    from pathlib import Path

    from registry.datastore.local import LocalDatastore

    return LocalDatastore(Path(unquote(urlsplit(url).path) if url.startswith("file:") else url))


def _memory(url: str) -> Datastore:
    from registry.datastore.memory import memory_datastore

    return memory_datastore(url)


def _s3(url: str) -> Datastore:
    from registry.datastore.objects import ObjectDatastore
    from registry.datastore.places import staging_folder
    from registry.datastore.s3 import S3Bucket

    bucket = S3Bucket(url)
    return ObjectDatastore(bucket, staging_folder(bucket.url))


BACKENDS: dict[str, Callable[[str], Datastore]] = {"file": _local, "memory": _memory, "s3": _s3}
"""The table of backends; `registry.datastore.contract` runs over every row of it."""
