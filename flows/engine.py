"""Which engine runs the quanta: Prefect, or none at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows import server
from flows.settings import EngineName


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine, why it was chosen, and where its server is."""

    name: Literal["direct", "prefect"]
    reason: str
    """One line, for people."""
    api_url: str = ""
    is_own_server: bool = False
    """Whether `isrflow up` started it."""


DIRECT = EngineChoice("direct", "asked for")

lost_servers: list[str] = []
"""Prefect servers that went away while a flow of this process ran.

Prefect's client tries for minutes, also at the end of the process, to deliver what such a server will never take; a
program that has told its result should leave without waiting for that.
"""


def choose_engine(wanted: EngineName, root: Path) -> EngineChoice:
    """Choose an engine for a repository.

    Parameters
    ----------
    wanted
        ``direct`` and ``prefect`` are taken at their word; ``auto`` takes Prefect if a server is configured by
        PREFECT_API_URL or was started by `isrflow up`.
    root
        The repository.

    Raises
    ------
    ServerError
        If Prefect was asked for and there is no server.
    """
    if wanted == "direct":
        return DIRECT
    configured = os.environ.get("PREFECT_API_URL", "")
    if configured:
        return EngineChoice("prefect", f"PREFECT_API_URL is {configured}", configured)
    mine = server.running(root)
    if mine is not None:
        return EngineChoice("prefect", f"`isrflow up` started a server at {mine.url}", mine.api_url, is_own_server=True)
    if wanted == "prefect":
        raise server.ServerError(
            "engine prefect was asked for, but no server is configured and none was started here",
            fix=f"isrflow up --repo {root}, or set PREFECT_API_URL, or take --engine direct",
        )
    return EngineChoice("direct", "no Prefect server is configured or was started with `isrflow up`")
