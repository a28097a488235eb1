"""Warming compiles all there is to compile."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import isrflow.kernels
from isrflow.kernels.warm import compiled_kernels, warm_kernels


def test_every_kernel_is_warmed() -> None:
    for module in pkgutil.iter_modules(isrflow.kernels.__path__, "isrflow.kernels."):
        import_module(module.name)
    warmed = warm_kernels()
    assert {name for name, _ in compiled_kernels()} <= set(warmed)
    parallel = [(name, kernel) for name, kernel in compiled_kernels() if kernel.targetoptions.get("parallel")]
    assert len(parallel) >= 10
    assert [name for name, kernel in parallel if not kernel.signatures] == []


def test_faces_do_not_import_numba() -> None:
    code = "import sys, isrflow, isrflow.kernels; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
