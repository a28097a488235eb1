"""What a quantum cost: wall and CPU seconds, and the most memory its process held meanwhile."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path


class Meter:
    """Runs from when it is made."""

    def __init__(self) -> None:
        _forget_peak()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self) -> dict[str, float | int]:
        """Return ``seconds``, ``cpu_s`` and ``peak_rss_bytes`` so far."""
        return {
            "seconds": time.perf_counter() - self._wall,
            "cpu_s": time.process_time() - self._cpu,
            "peak_rss_bytes": _peak_rss_bytes(),
        }


def _forget_peak() -> None:
    """Let the kernel count the peak from here on; where it cannot, the peak is that of the process's life."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_rss_bytes() -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
