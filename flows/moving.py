"""Carrying data between repositories: the camera and the settings go along, so that a package can stand alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flows.repo import Repo, camera_run, open_repo
from flows.settings import RepoSettings, write_settings
from isrflow.quantum.formatters import formatters_for
from isrflow.quantum.types import CAMERA, dataset_types
from registry.butler import Butler
from registry.errors import CorruptDataset, UserError
from registry.moving.importing import package_extra

if TYPE_CHECKING:
    from registry.moving.comparing import ValidityMode
    from registry.moving.exporting import Exported
    from registry.moving.importing import Imported

_CARRIED = {"instrument", "collections", "recipe", "product_compression"}
"""Settings that belong to the data; the others belong to a machine."""


def export_package(
    repo: Repo,
    path: Path,
    where: str = "",
    *,
    types: Sequence[str] | None = None,
    calibs: bool = False,
    provenance: bool = False,
    files: bool = True,
) -> Exported:
    """Write a part of a repository, with its camera and settings, to a new directory or zip file.

    Parameters
    ----------
    repo, path, where, types, calibs, provenance, files
        As `registry.butler.Butler.export`.
    """
    always = repo.butler.datasets(type=CAMERA, collections=[camera_run(repo.instrument)])
    settings = repo.settings.model_dump(mode="json", exclude_defaults=True, include=_CARRIED)
    return repo.butler.export(
        path,
        where,
        types=types,
        calibs=calibs,
        provenance=provenance,
        files=files,
        always=always,
        extra={"settings": settings},
    )


def import_into_new(package: Path, root: Path, *, validity: ValidityMode = "idempotent") -> Imported:
    """Make a repository in a new directory out of a package alone; a failure leaves nothing.

    Raises
    ------
    UserError
        If there is something in `root`.
    CorruptDataset
        If the package cannot be trusted, or does not say for which camera it is.
    """
    root = Path(root).absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root} is not empty; a package is unpacked into a new directory", fix="choose another name")
    settings = _settings(package, package_extra(package))
    existed = root.exists()
    try:
        with Butler.create(root, formatters=formatters_for(_no_camera)) as butler:
            answer = butler.import_package(package, validity=validity)
            butler.register_dataset_type(*dataset_types())
        write_settings(root, settings)
        with open_repo(root, read_only=True) as repo:
            assert repo.camera.name == settings.instrument
    except BaseException:
        if not existed:
            shutil.rmtree(root, ignore_errors=True)
        raise
    return answer


def _settings(package: Path, extra: Mapping[str, Any]) -> RepoSettings:
    found: Any = extra.get("settings")
    try:
        return RepoSettings.model_validate({name: found[name] for name in _CARRIED if name in found})
    except (TypeError, ValueError, KeyError) as problem:
        message = f"the package {package} does not say for which camera it is, so it cannot stand alone"
        fix = "isrflow init DIR --instrument NAME, then isrflow import PACKAGE --repo DIR"
        raise CorruptDataset(message, path=package, fix=fix) from problem


def _no_camera() -> NoReturn:
    raise AssertionError("an import reads no pixels")
