"""Rows and files: a registry of datasets with calibration validity and provenance; see ``registry.butler``.

The names below are imported when they are first used, so that asking for a ref does not open the door to a database.
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Butler": "butler",
    "DataId": "refs",
    "DatasetRef": "refs",
    "DatasetType": "refs",
    "DetectorRecord": "dimensions",
    "ExposureRecord": "dimensions",
    "FilterRecord": "dimensions",
    "InstrumentRecord": "dimensions",
    "RegistryError": "errors",
    "Timespan": "timespan",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list of names all the same


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'registry' has no attribute '{name}'"
        raise AttributeError(message)
    return getattr(import_module(f"registry.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
