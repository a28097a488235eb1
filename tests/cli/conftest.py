"""The command as a user types it: in a process of its own, or, where that makes no difference, in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Typed:
    """What came back from a command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Types `isrflow ...` in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ISRFLOW_", "PREFECT_"))
        }

    def __call__(self, *arguments: object, code: int | None = 0, **environment: str) -> Typed:
        """Run a command in a process of its own and insist on its exit code (None: any)."""
        done = subprocess.run(
            [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
            cwd=self.directory,
            env=self.environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])} | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        typed = Typed(done.returncode, done.stdout, done.stderr)
        assert code is None or typed.code == code, f"isrflow {' '.join(map(str, arguments))}\n{typed.out}\n{typed.err}"
        return typed


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)
