"""The wheel, built and installed elsewhere, does the work of the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ISRFLOW_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    run(
        "git", "-C", ROOT, "checkout-index", "-a", f"--prefix={source}/", cwd=ROOT
    )  # only what is under version control
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, source]
    run(*pip, cwd=out)
    return next(out.glob("isrflow-*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel in it and the dependencies of this one behind it."""
    home = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel]
    run(*install, cwd=home)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_wheel_carries_instruments_templates_and_migrations(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "isrflow/instruments/tiny.yaml",
        "isrflow/instruments/lupine.yaml",
        "isrflow/py.typed",
        "migrations/env.py",
    ):
        assert wanted in names
    assert any(name.startswith("migrations/versions/0001") for name in names)
    assert any(name.startswith("flows/report/") and name.endswith((".html", ".jinja", ".j2")) for name in names)
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_an_installed_isrflow_processes_a_tiny_night(python, tmp_path):
    isrflow = python.parent / "isrflow"
    assert "site-packages/isrflow" in run(python, "-c", "import isrflow; print(isrflow.__file__)", cwd=tmp_path)
    run(isrflow, "init", "repo", "--instrument", "tiny", cwd=tmp_path)
    run(isrflow, "simulate", "raws", "--instrument", "tiny", "--night", "20260301", cwd=tmp_path)
    repo = ["--repo", "repo"]
    run(isrflow, "ingest", "raws/raw", *repo, cwd=tmp_path)
    run(
        isrflow,
        "calibs",
        "build",
        "bias",
        "dark",
        "flat",
        "defects",
        "--night",
        "20260301",
        "--out",
        "calibs/a",
        *repo,
        cwd=tmp_path,
    )
    run(isrflow, "calibs", "certify", "calibs/a", "--begin", "20260301", *repo, cwd=tmp_path)
    report = json.loads(run(isrflow, "night", "20260301", "--engine", "direct", *repo, "--json", cwd=tmp_path))
    assert (report["n_done"], report["n_failed"], report["n_skipped"]) == (8, 0, 0)
