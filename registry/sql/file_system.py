"""Where a database may lie: not on a network file system, where SQLite's locks and shared memory do not hold."""

from __future__ import annotations

import os
from pathlib import Path

from registry.errors import UnavailableError

NETWORK_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs3",
        "nfs4",
        "lustre",
        "cifs",
        "smb3",
        "smbfs",
        "gpfs",
        "beegfs",
        "ceph",
        "afs",
        "9p",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.ceph",
        "fuse.lustre",
    ]
)
ALLOW_NETWORK = "ISRFLOW_ALLOW_NETWORK_FS"


def refuse_network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Refuse a file on a network file system, where SQLite's locks and shared memory do not hold.

    Raises
    ------
    UnavailableError
        Unless the environment variable ``ISRFLOW_ALLOW_NETWORK_FS`` is set.
    """
    kind = _file_system_of(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS and not os.environ.get(ALLOW_NETWORK):
        message = f"{path} lies on a network file system ({kind}), where SQLite loses data when two machines write"
        raise UnavailableError(
            message, fix=f"put the repository on a local disk (or, at your own risk, set {ALLOW_NETWORK}=1)"
        )


def _file_system_of(path: Path, mounts: Path) -> str:
    """Return the type of the file system that holds a path; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        point = fields[1].replace("\\040", " ")
        if len(point) >= best and real.is_relative_to(point):
            best, kind = len(point), fields[2]
    return kind
