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

from flows.certify import certify_calibs
from flows.imports import import_calib
from flows.ingest import ingest_paths
from flows.night import run_night
from flows.repo import create_repo
from isrflow.frame.camera import load_camera
from isrflow.simulate.night import simulate_night

NIGHT = 20260301


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
    """Types `isrflow ...` in a directory, in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: object, code: int | None = 0, **environment: str) -> Typed:
        """Run a command and insist on its exit code (None: any)."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ISRFLOW_", "PREFECT_"))}
        done = subprocess.run(
            [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
            cwd=self.directory,
            env=clean | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])} | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return _insist(Typed(done.returncode, done.stdout, done.stderr), arguments, code)


class Here:
    """Types `isrflow ...` in this process: the same function, without the start of an interpreter."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object, code: int | None = 0) -> Typed:
        from flows.cli.app import run

        self.capsys.readouterr()
        found = run([str(argument) for argument in arguments])
        shown = self.capsys.readouterr()
        return _insist(Typed(found, shown.out, shown.err), arguments, code)


def _insist(typed: Typed, arguments: tuple[object, ...], code: int | None) -> Typed:
    assert code is None or typed.code == code, f"isrflow {' '.join(map(str, arguments))}\n{typed.out}\n{typed.err}"
    return typed


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def isrflow(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    for name in [name for name in os.environ if name.startswith(("ISRFLOW_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Here(capsys)


@pytest.fixture(scope="session")
def raws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small night of the tiny camera: 3 biases, 3 darks, 3 flats a filter, 4 exposures; truth beside it."""
    directory = tmp_path_factory.mktemp("night")
    simulate_night(load_camera("tiny"), directory, NIGHT, n_science=4, n_bias=3, n_dark=3, n_flat=3)
    return directory


@pytest.fixture(scope="session")
def finished(raws: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with that night processed; one flat is missing, so two of its eight raws were skipped."""
    root = tmp_path_factory.mktemp("finished") / "repo"
    with create_repo(root, "tiny") as repo:
        ingest_paths(repo, [raws / "raw"])
        for kind in ("bias", "dark", "defects"):
            certify(repo, raws, kind, f"{kind}_*.fits")
        certify(repo, raws, "flat", "flat_*_g_01.fits")
        certify(repo, raws, "flat", "flat_A_r_01.fits", run="imported/flat-r")
        run_night(repo, NIGHT, engine="direct", workers=1)
    return root


def certify(repo: Any, raws: Path, kind: str, pattern: str, run: str | None = None) -> None:
    """Import true calibrations and certify them for ever after the night's begin."""
    report = import_calib(repo, kind, sorted((raws / "truth").glob(pattern)), run=run)
    certify_calibs(repo, [report.run], str(NIGHT), reason="truth")
