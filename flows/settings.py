"""The settings of a repository: one small file beside its database, and ISRFLOW_* variables laid over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isrflow.errors import ConfigError
from registry.datastore.cache import CachePolicy

SETTINGS_FILE = "isrflow.yaml"
EngineName = Literal["auto", "direct", "prefect"]


class RepoSettings(BaseModel):
    """What a repository's owner may choose; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    instrument: str
    """Name of the instrument the repository was made for."""
    collections: tuple[str, ...] = ("calibs",)
    """Where calibrations are looked for; the first collection with a match wins."""
    engine: EngineName = "auto"
    """Who runs the quanta: prefect, direct, or auto (Prefect if a server is configured)."""
    executor: Literal["local", "inline"] = "local"
    """Where quanta run: local, in supervised processes, or inline, in the process itself (for debuggers)."""
    workers: int = Field(default=0, ge=0)
    """Worker processes; 0: as many as cores and memory allow."""
    memory_per_worker_gb: float = Field(default=0.9, gt=0)
    """What one worker is expected to take, for choosing their number."""
    cache_mb: float = Field(default=256.0, ge=0)
    """Calibrations a worker keeps between quanta, by size of file; what takes a quarter of it is never kept."""
    cache_dir: Path | None = None
    """Where copies of remote files are kept; in the user's own cache folder if not given."""
    file_cache_gb: float = Field(default=10.0, ge=0)
    """How much room these copies may take; the least recently used go first."""
    cache_local: bool = False
    """Copy files that are not remote, too: pays where the datastore is on a slow network file system."""
    quantum_timeout_s: float = Field(default=900.0, gt=0)
    """A quantum that takes longer is killed and reported."""
    lease_s: float = Field(default=120.0, ge=3)
    """How long a worker's claim on a quantum outlives its last sign of life."""
    product_compression: Literal["none", "mask", "gzip", "rice"] = "mask"
    """How products are stored: none; mask, the mask alone, which is quicker than not at all; gzip, all planes without
    loss, in half the room; rice, image and variance rounded to a sixteenth of their noise, in a seventh of it."""
    recipe: Mapping[str, Any] = Field(default_factory=dict)
    """Recipe settings of this repository, laid over those of the instrument."""


def read_settings(root: Path, environment: Mapping[str, str] | None = None) -> RepoSettings:
    """Read a repository's settings, with ISRFLOW_WORKERS, ISRFLOW_ENGINE and their like laid over the file.

    Raises
    ------
    ConfigError
        If the file is not YAML, or a key is unknown or a value impossible; all are listed, with places.
    """
    path = root / SETTINGS_FILE
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} is not a mapping of settings")
    return _checked(tree | _from_environment(os.environ if environment is None else environment), str(path))


def write_settings(root: Path, settings: RepoSettings) -> None:
    """Write the settings that differ from the defaults beside the database."""
    text = yaml.safe_dump(settings.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    (root / SETTINGS_FILE).write_text(text, encoding="utf-8")


def cache_policy(settings: RepoSettings) -> CachePolicy:
    """Return where copies of remote files are kept, and how many."""
    folder = None if settings.cache_dir is None else settings.cache_dir.expanduser().absolute()
    return CachePolicy(folder, int(settings.file_cache_gb * 2**30), settings.cache_local)


def rounds_products(settings: RepoSettings) -> bool:
    """Say whether the pixels of products depend on how they are stored."""
    return settings.product_compression == "rice"


def worker_count(settings: RepoSettings, asked: int | None = None) -> int:
    """Return how many worker processes to start: as asked, as set, or as cores and memory allow."""
    if asked or settings.workers:
        return asked or settings.workers
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    room = int((memory_gb - 2.0) / settings.memory_per_worker_gb)  # 2 GB for the system, the database and Prefect
    return max(1, min(len(os.sched_getaffinity(0)), room))


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    scalars = [name for name in RepoSettings.model_fields if name not in {"recipe", "collections", "instrument"}]
    return {
        name: environment[f"ISRFLOW_{name.upper()}"] for name in scalars if environment.get(f"ISRFLOW_{name.upper()}")
    }


def _checked(tree: Mapping[str, Any], where: str) -> RepoSettings:
    try:
        return RepoSettings.model_validate(tree)
    except ValidationError as error:
        problems = [f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"settings in {where} (and ISRFLOW_* variables):\n" + "\n".join(problems)) from error
