"""Packages: a part of a repository, carried to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.face.base import Face
from registry.refs import DatasetRef
from registry.sql.datasets import dataset_rows

if TYPE_CHECKING:
    from registry.moving.comparing import ValidityMode
    from registry.moving.exporting import Exported
    from registry.moving.importing import Imported


class MovingFace(Face):
    """Export and import between repositories."""

    def export(
        self,
        path: Path,
        where: str = "",
        *,
        types: Sequence[str] | None = None,
        bind: Mapping[str, Any] | None = None,
        calibs: bool = False,
        provenance: bool = False,
        files: bool = True,
        always: Sequence[DatasetRef] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Exported:
        """Write a part of the repository to a new directory or zip file that any other repository can import.

        Parameters
        ----------
        path
            A new directory, or a new file ``.zip``.
        where, bind
            A query on datasets, see `query`; all usable ones if empty.
        types
            Only datasets of these types.
        calibs
            Also the calibrations they were made with, and those that hold now for their exposures.
        provenance
            Also the work that made them, and all it read, all the way up: lineage and replay work elsewhere then.
        files
            Also the files.
        always
            Datasets that go along whatever the query says.
        extra
            JSON for whoever unpacks it.

        Raises
        ------
        UserError
            If nothing matches, or `path` exists.
        MissingDataset, CorruptDataset
            If a file is gone, or is not what was stored.
        """
        from registry.moving.exporting import export
        from registry.moving.selecting import Wanted

        with self._repository.reading() as connection:
            rows = tuple(dataset_rows(connection, [ref.id for ref in always]).values())
        chosen = None if types is None else tuple(types)
        wanted = Wanted(where, chosen, dict(bind or {}), calibs, provenance, files, rows)
        return export(self._repository, Path(path), wanted, extra=extra)

    def import_package(self, path: Path, *, dry_run: bool = False, validity: ValidityMode = "idempotent") -> Imported:
        """Take in what another repository exported; see `registry.moving.importing`."""
        from registry.moving.importing import import_package

        return import_package(self._repository, Path(path), dry_run=dry_run, validity=validity)
