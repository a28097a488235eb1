"""Instrument signature removal for CCD exposures.

The face of the package: what most users need, imported when first asked for, so that ``import isrflow`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isrflow.frame.camera import Camera, load_camera
    from isrflow.frame.exposure import Exposure
    from isrflow.recipe import IsrConfig
    from isrflow.recipe_lsst import IsrLsstConfig
    from isrflow.run import run_isr
    from isrflow.task.isr_task import IsrTask

__version__ = "0.1.0"
__all__ = ["Camera", "Exposure", "IsrConfig", "IsrLsstConfig", "IsrTask", "load_camera", "run_isr"]

_HOMES = {
    "Camera": "isrflow.frame.camera",
    "Exposure": "isrflow.frame.exposure",
    "IsrConfig": "isrflow.recipe",
    "IsrLsstConfig": "isrflow.recipe_lsst",
    "IsrTask": "isrflow.task.isr_task",
    "load_camera": "isrflow.frame.camera",
    "run_isr": "isrflow.run",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'isrflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
