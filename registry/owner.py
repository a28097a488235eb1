"""Who is at work: a text that names a process so exactly that another process can tell whether it is dead.

Leases expire, but nobody wants to wait ten minutes after a crash for something that is plainly gone. A process on the
same machine can be looked up; about any other one nothing is known, and its lease is respected.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PARTS = 5


@dataclass(frozen=True, slots=True)
class _Process:
    host: str
    boot: str
    """Identity of this start of the machine: after a reboot the same pid says nothing."""
    namespace: str
    """Identity of the pid namespace: containers on one host each have their own pid 17."""
    pid: int
    start: str
    """When the process began, in clock ticks since boot: pids are used again."""


def process_token(label: str = "") -> str:
    """Return the text that names this process, for leases and journals; `label` is for people and follows a ``#``."""
    return _token(os.getpid()) + (f"#{label}" if label else "")


def is_dead(token: str) -> bool:
    """Say whether the process that made `token` has certainly ended; False whenever that cannot be known."""
    process = _parsed(token)
    if process is None:
        return False
    here = _parsed(process_token())
    if here is None or (process.host, process.boot, process.namespace) != (here.host, here.boot, here.namespace):
        return False
    start = _start_of(process.pid)
    return start is None or start not in {"", process.start}


def spoken(token: str) -> str:
    """Return a token as people say it: ``pid 17 on heimdall``."""
    process = _parsed(token)
    return token if process is None else f"pid {process.pid} on {process.host}"


@lru_cache(maxsize=1)
def _token(pid: int) -> str:
    host = socket.gethostname().replace("/", "-")
    return "/".join([host, _boot(), _namespace(), str(pid), _start_of(pid) or ""])


def _parsed(token: str) -> _Process | None:
    parts = token.partition("#")[0].split("/")
    if len(parts) != _PARTS or not parts[3].isdigit():
        return None
    return _Process(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """Return when a process began, "" where the system does not tell (others' may be hidden), None if it is gone."""
    try:
        # The second field, the program's name in brackets, may itself hold spaces and brackets.
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return "" if _answers(pid) else None
    return None if state in {"Z", "X"} else rest[18]


def _answers(pid: int) -> bool:
    """Ask the system about a process that /proc does not show."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
