"""What asking costs: help and small questions must not import what only work needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

HEAVY = (
    "rich",
    "prefect",
    "matplotlib",
    "numba",
    "astropy",
    "sqlalchemy",
    "numpy",
    "scipy",
    "jinja2",
)  # typer itself imports pydantic


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the heavy packages it has imported."""
    tell = "print('LOADED' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    probe = f"import sys, json\n{code}\n{tell}"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout.rpartition("LOADED")[2])
    return set(HEAVY) & set(modules)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], [], ["--version"], ["calibs", "--help"], ["night", "--help"], ["run", "--help"], ["nigth"], ["init"]],
    ids=" ".join,
)
def test_help_and_mistyped_commands_import_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(f"from flows.cli.app import run; run({arguments!r})") == set()


@pytest.mark.parametrize("face", ["isrflow", "registry", "flows", "flows.cli"])
def test_a_face_imports_nothing_heavy(face: str) -> None:
    assert loaded_by(f"import {face}") == set()


def test_a_face_gives_what_it_promises() -> None:
    import isrflow
    import registry

    for face in (isrflow, registry):
        assert set(face.__all__) <= set(dir(face))
        for name in face.__all__:
            assert getattr(face, name) is not None
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            _ = face.nonsense


def test_help_takes_less_than_half_a_second() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "from flows.cli import main; main()", "--help"], capture_output=True, check=True
        )
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.5  # the best of five: the machine may be busy with other tests


def test_without_a_terminal_there_is_no_colour() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "PY_COLORS"}}
    environment.pop("GITHUB_ACTIONS", None)
    command = [sys.executable, "-c", "from flows.cli import main; main()", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "\x1b[" not in done.stdout
