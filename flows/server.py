"""A local Prefect server for one repository: started and stopped as a process, never imported.

The server keeps its own home and database inside the repository; the registry's database is none of its business.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from registry.errors import UserError

HOME = "prefect"
"""The server's directory in a repository."""
_STATE, _LOG, _LOCK = "server.json", "server.log", "server.lock"
_GRACE_S = 15.0
_children: dict[int, subprocess.Popen[bytes]] = {}  # servers this very process started; to be waited for when stopped

SERVER_SETTINGS: Mapping[str, str] = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # One event a transaction, the default, makes the recorder lose task runs behind a burst of them.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
}
CLIENT_SETTINGS: Mapping[str, str] = {
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "2",  # a server that is gone is not worth two minutes: the registry has the truth
    "DO_NOT_TRACK": "1",
}


class ServerError(UserError):
    """The local Prefect server could not be started, or none is there."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A running server."""

    url: str
    """Where a browser finds it."""
    port: int
    pid: int
    log: str
    already_running: bool = False

    @property
    def api_url(self) -> str:
        """Where flows find it."""
        return f"{self.url}/api"


def up(root: Path, *, port: int | None = None, timeout_s: float = 90.0) -> ServerInfo:
    """Start the repository's Prefect server, or return the one that is running.

    Parameters
    ----------
    root
        The repository.
    port
        On 127.0.0.1; by default one that is free.
    timeout_s
        How long to wait until it answers.

    Raises
    ------
    ServerError
        If it ends or does not answer in time; the log and its last lines are named.
    """
    home = root / HOME
    home.mkdir(exist_ok=True)
    with _alone(home):
        found = running(root)
        if found is not None:
            return replace(found, already_running=True)
        chosen = port or _free_port()
        server = _start(home, chosen)
        try:
            _wait_until_healthy(server, chosen, home / _LOG, timeout_s)
        except BaseException:
            _stop_group(server.pid)
            raise
        info = ServerInfo(f"http://127.0.0.1:{chosen}", chosen, server.pid, str(home / _LOG))
        (home / _STATE).write_text(json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8")
        return info


def down(root: Path) -> bool:
    """Stop the repository's Prefect server with all its processes; False if none was running."""
    home = root / HOME
    if not home.is_dir():
        return False
    with _alone(home):
        found = _recorded(home)
        if found is not None:
            _reap(found.pid)
        if found is not None and _lives(found):
            _stop_group(found.pid)
        else:
            found = None
        (home / _STATE).unlink(missing_ok=True)
        return found is not None


def running(root: Path) -> ServerInfo | None:
    """Return the repository's server if its process lives and answers."""
    found = _recorded(root / HOME)
    if found is None or not _lives(found) or not is_healthy(found.api_url):
        return None
    return found


def is_healthy(api_url: str, timeout_s: float = 5.0) -> bool:
    """Say whether a Prefect server answers at this address."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=timeout_s) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def prepare_client() -> None:
    """Set how Prefect behaves as a client, before it is imported; what the user has set stays."""
    for name, value in CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)


def _start(home: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(home), **SERVER_SETTINGS}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / _LOG).open("wb") as log:
        # A session of its own: Ctrl-C in the terminal is not for the server, and `down` can stop all of it.
        server = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _children[server.pid] = server
    return server


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_healthy(f"http://127.0.0.1:{port}/api", timeout_s=1.0):
        if server.poll() is not None:
            raise ServerError(
                f"the Prefect server ended with status {server.returncode} before it answered:\n{_tail(log)}",
                fix=f"read {log}; or work without it: --engine direct",
            )
        if time.monotonic() > deadline:
            raise ServerError(
                f"the Prefect server did not answer on port {port} within {timeout_s:g} s:\n{_tail(log)}",
                fix=f"read {log}; or work without it: --engine direct",
            )
        time.sleep(0.2)


def _stop_group(pid: int) -> None:
    """Ask the server's process group to end, wait, and insist."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _GRACE_S
        try:
            os.killpg(pid, number)
            while time.monotonic() < deadline:
                _reap(pid)
                os.killpg(pid, 0)
                time.sleep(0.1)
        except (ProcessLookupError, PermissionError):
            return


def _reap(pid: int) -> None:
    """Take leave of a child that has ended; it would count as alive otherwise."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _lives(server: ServerInfo) -> bool:
    """Say whether the recorded process is there and is that server: pids are used again."""
    try:
        os.kill(server.pid, 0)
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes().split(b"\0")
    except (ProcessLookupError, PermissionError):
        return False
    except OSError:
        return True  # no /proc to look into; that it answers has to be enough
    return b"prefect" in command and str(server.port).encode() in command


def _recorded(home: Path) -> ServerInfo | None:
    try:
        return ServerInfo(**json.loads((home / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # no file, or not one of ours: then nothing is known to run


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
    return "\n".join(f"  {line}" for line in lines)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock of the server's directory, so that two `isrflow up` do not start two servers."""
    with (home / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
