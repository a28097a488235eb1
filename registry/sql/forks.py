"""Connections and forks: a connection must be neither used nor closed in two processes."""

from __future__ import annotations

import os
import weakref

from sqlalchemy import Engine
from sqlalchemy.pool import Pool

_abandoned: list[Pool] = []


def forget_connections_after_fork(engine: Engine) -> None:
    """Give a forked child a pool of its own; the parent's connections stay open in it, untouched."""
    reference = weakref.ref(engine)

    def renew() -> None:
        alive = reference()
        if alive is not None:
            _abandoned.append(alive.pool)
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=renew)
