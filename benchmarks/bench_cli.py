"""What a user waits for before anything happens: whole processes, medians of seven. Budget: `--help` in 0.5 s."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from yardstick import median_seconds

ISRFLOW = Path(sys.executable).with_name("isrflow")
COMMANDS = (["--help"], ["night", "--help"], ["recipe"])


def main() -> None:
    """Time each command."""
    for command in COMMANDS:
        seconds = median_seconds(lambda: subprocess.run([ISRFLOW, *command], check=True, capture_output=True), runs=7)  # noqa: B023
        print(f"  isrflow {' '.join(command):16s} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
