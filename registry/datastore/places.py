"""Where this machine keeps what belongs to no repository: copies of remote files, and files on their way there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

CACHE_DIR = "ISRFLOW_CACHE_DIR"


def cache_folder() -> Path:
    """Return the folder for copies of remote files: ``ISRFLOW_CACHE_DIR``, else the user's own."""
    named = os.environ.get(CACHE_DIR)
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "isrflow"


def staging_folder(url: str) -> Path:
    """Return the folder where files for a remote store are made; it is never emptied by the cache."""
    return cache_folder() / "staging" / hashlib.sha256(url.encode()).hexdigest()[:16]
