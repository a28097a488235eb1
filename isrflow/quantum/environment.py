"""What results are computed with: all that is known to be able to change the last bit of a pixel.

Versions of packages and of the interpreter, of course; but also which instructions the processor has (compilers fuse
multiplications where it can) and which library does linear algebra. How many threads add numbers up is a fact of each
attempt, for workers have other settings than who plans.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from isrflow import __version__
from registry.refs import Software

PACKAGES = ("astropy", "llvmlite", "numba", "numpy", "pydantic", "scipy")
"""Those whose code computes or formats what is in a product."""
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_FLAGS = ("fma", "avx", "avx2", "avx512f", "sse4_2", "asimd", "sve")
"""Instructions that compilers and libraries choose code by."""


def environment() -> Mapping[str, Any]:
    """Return the facts about this process that can change a pixel, as the registry stores them."""
    return Software({"isrflow": __version__, **_packages()}, details=_machine()).to_dict()


def threads() -> dict[str, str]:
    """Return what this process was told of threads; where nothing is said libraries take all cores."""
    return {name: os.environ[name] for name in THREADS if name in os.environ}


def differences(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two environments; empty if nothing does."""
    before, now = _flat(recorded), _flat(present)
    return [
        f"{name}: {before.get(name, 'not recorded')} then, {now.get(name, 'nothing')} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, item in value.items():
        found |= _flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) else {f"{prefix}{key}": str(item)}
    return found


@cache
def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def _machine() -> dict[str, Any]:
    """Return what does not change while a process lives."""
    found: dict[str, Any] = {"cpu": {"machine": platform.machine(), "flags": _cpu_flags()}, "blas": _blas()}
    commit = _commit()
    return {**found, "commit": commit} if commit else found


def _cpu_flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    words = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return " ".join(flag for flag in _FLAGS if flag in words)


def _blas() -> str:
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _commit() -> str:
    """Return the commit of the code, if it runs out of a checkout; with ``+`` if files were changed since."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", "isrflow"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
