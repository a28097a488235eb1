"""Repositories: making one, opening one, finding the one that is meant."""

from __future__ import annotations

import html
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.settings import RepoSettings, cache_policy, read_settings, write_settings
from isrflow.frame.camera import Camera, load_camera
from isrflow.quantum.formatters import formatters_for
from isrflow.quantum.types import dataset_types
from registry.butler import Butler
from registry.dimensions import DetectorRecord, FilterRecord, InstrumentRecord
from registry.errors import UnavailableError, UserError
from registry.location import is_repository
from registry.refs import DataId
from registry.timespan import ALL_TIME

_FROM_HERE = "the current directory and those above it"
CALIBS = "calibs"
"""The CALIBRATION collection that `isrflow init` makes and every command uses unless told otherwise."""


@dataclass
class Repo:
    """An open repository: its registry, settings and camera."""

    root: Path
    settings: RepoSettings
    butler: Butler = field(repr=False)

    @property
    def instrument(self) -> str:
        """Name of the instrument."""
        return self.settings.instrument

    @cached_property
    def camera(self) -> Camera:
        """The camera certified last; which one corrects an exposure is resolved like any other calibration."""
        return _camera_of(self.butler, self.instrument)

    def furnish(self) -> None:
        """Add the dataset types that this version knows, and the one that made the repository did not."""
        self.butler.register_dataset_type(*dataset_types())

    def close(self) -> None:
        """Close the database."""
        self.butler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{html.escape(str(k))}</td><td>{v}</td></tr>" for k, v in self.butler.stats().items())
        return f"<b>{html.escape(str(self.root))}</b> ({html.escape(self.instrument)})<table>{rows}</table>"


def find_repo(option: str | Path | None = None) -> Path:
    """Return the repository that is meant: `option`, else ISRFLOW_REPO, else the current directory or one above it.

    Raises
    ------
    UnavailableError
        If there is no repository; names `isrflow init`.
    """
    environment = os.environ.get("ISRFLOW_REPO")
    named = option or environment
    here = Path(named or Path.cwd()).resolve()
    for root in (here,) if named else (here, *here.parents):
        if is_repository(root):
            return root
    # The command line hands over what it took from the environment as if it had been typed.
    said = "ISRFLOW_REPO" if named and str(named) == environment else "--repo" if option else _FROM_HERE
    raise UnavailableError(
        f"{here} is not a repository ({said})",
        fix=f"isrflow init {here} --instrument NAME, or name another with --repo DIR",
    )


def create_repo(
    root: Path,
    instrument: str | Path,
    *,
    url: str | None = None,
    datastore: str | None = None,
    actor: str | None = None,
) -> Repo:
    """Make a repository for an instrument and open it.

    Parameters
    ----------
    root
        Directory to make; may exist, but not hold a repository.
    instrument
        Name of a shipped instrument, or a YAML file.
    url
        Database, as ``postgresql://USER@HOST/DATABASE``; the default is SQLite in `root`.
    datastore
        Directory or URL of an object store for the files; the default is a folder in `root`.
    actor
        Who is written into the events; the user's name by default.

    Raises
    ------
    ConfigError
        If the instrument is unknown or its file wrong.
    UserError
        If there is a repository already, in `root` or in the database, or `url` is not supported.
    UnavailableError
        If the database cannot be reached or written.
    """
    camera = load_camera(instrument)  # first: nothing is made for an instrument that cannot be read
    existed = root.exists()
    try:
        settings = RepoSettings(instrument=camera.name)
        formatters = formatters_for(lambda: camera, settings.product_compression)
        butler = Butler.create(root, url=url, datastore=datastore, formatters=formatters, actor=actor)
        try:
            _furnish(butler, camera)
            write_settings(root, settings)
        except BaseException:
            butler.discard()
            raise
    except BaseException:
        if not existed:
            shutil.rmtree(root, ignore_errors=True)
        raise
    return Repo(root.resolve(), settings, butler)


def open_repo(path: str | Path | None = None, *, read_only: bool = False, actor: str | None = None) -> Repo:
    """Open the repository that `find_repo` finds.

    Raises
    ------
    UnavailableError
        If there is none, or its database cannot be opened.
    VersionError
        If its database was made by a newer or older isrflow.
    ConfigError
        If its settings file is wrong.
    """
    root = find_repo(path)
    settings = read_settings(root)
    found: list[Camera] = []

    def camera() -> Camera:
        if not found:
            found.append(_camera_of(butler, settings.instrument))
        return found[0]

    formatters = formatters_for(camera, settings.product_compression)
    cache = cache_policy(settings)
    butler = Butler(root, formatters=formatters, actor=actor, read_only=read_only, cache=cache)
    return Repo(root, settings, butler)


def raw_run(instrument: str) -> str:
    """Name the collection of an instrument's raws."""
    return f"raw/{instrument}"


def camera_run(instrument: str) -> str:
    """Name the collection of an instrument's descriptions."""
    return f"camera/{instrument}"


def refuse_own_run(repo: Repo, run: str) -> None:
    """Keep products out of the collections of the raws and of the camera.

    Raises
    ------
    UserError
        If `run` is one of them.
    """
    if run in {raw_run(repo.instrument), camera_run(repo.instrument)}:
        raise UserError(f"{run} is kept for what it holds, and takes no products", fix="another name after --out")


def _furnish(butler: Butler, camera: Camera) -> None:
    name = camera.name
    butler.register_instrument(
        InstrumentRecord(name, camera.site.day_rollover_hours * 3600.0, name),
        [DetectorRecord(name, item.id, item.name, item.serial) for item in camera.detectors],
        [FilterRecord(name, item.name, item.band) for item in camera.filters],
    )
    butler.register_dataset_type(*dataset_types())
    butler.register_collection(raw_run(name), "RUN", "raw exposures")
    butler.register_collection(camera_run(name), "RUN", "descriptions of the camera")
    butler.register_collection(CALIBS, "CALIBRATION", "which calibration holds when")
    ref = butler.put(camera, "camera", DataId(name), camera_run(name), source="isrflow init")
    butler.certify(CALIBS, [ref], ALL_TIME, reason="isrflow init")


def _camera_of(butler: Butler, instrument: str) -> Camera:
    ref = butler.find("camera", DataId(instrument), [camera_run(instrument)])
    if ref is None:
        raise UnavailableError(f"{butler.root} has no description of its camera {instrument}")
    value = butler.get(ref)
    assert isinstance(value, Camera)
    return value
