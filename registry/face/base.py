"""What every part of a repository's face stands on."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from registry.errors import MissingDataset
from registry.refs import DatasetRef
from registry.repository import Repository
from registry.sql.datasets import refs_by_uuid


class Face:
    """An open repository, not yet able to do anything."""

    _repository: Repository

    @property
    def root(self) -> Path:
        """The directory of the repository."""
        return self._repository.root

    def _registered(self, ref: DatasetRef | UUID) -> DatasetRef:
        """Return a dataset as the registry has it now."""
        id_ = ref.id if isinstance(ref, DatasetRef) else ref
        with self._repository.reading() as connection:
            found = refs_by_uuid(connection, [id_])
        if id_ not in found:
            raise MissingDataset(f"no dataset {id_} is registered here", id=id_, fix="isrflow query datasets")
        return found[id_]
