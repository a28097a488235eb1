"""What shall be published: values or files as datasets of their types, with ids and paths that are known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from registry.datastore.base import Fingerprint
from registry.datastore.paths import dataset_path
from registry.errors import UserError
from registry.refs import DataId, DatasetRef, DatasetType, dataset_uuid
from registry.repository import Repository


@dataclass(frozen=True, slots=True)
class Output:
    """A dataset to be published: `write` fills a new file and returns the hash of its content."""

    ref: DatasetRef
    extension: str
    write: Callable[[Path], str]
    expected: Fingerprint | None = None
    """What the file must be, if that is known before it is written."""


def outputs_of(repository: Repository, values: Mapping[str, object], run: str, data_id: DataId) -> list[Output]:
    """Describe values as outputs of their dataset types."""
    if not repository.familiar.types.keys() >= values.keys():
        with repository.reading() as connection:
            repository.familiar.type_rows(connection, values)
    types = {name: repository.familiar.types[name].type for name in values}
    formats = {name: repository.formatter(type_.formatter) for name, type_ in types.items()}
    return [
        Output(new_ref(types[name], run, data_id), formats[name].extension, partial(formats[name].write, value))
        for name, value in values.items()
    ]


def new_ref(dataset_type: DatasetType, run: str, data_id: DataId) -> DatasetRef:
    """Return the ref that a dataset will have, STAGED; `UserError` if the data id lacks a dimension of the type."""
    own = data_id.subset(dataset_type.dimensions)
    missing = [name for name in dataset_type.dimensions if name not in own.dimensions]
    if missing:
        raise UserError(f"a {dataset_type.name} needs {', '.join(missing)}, which '{data_id}' does not say")
    return DatasetRef(dataset_uuid(run, dataset_type.name, own), dataset_type.name, run, own, status="STAGED")


def output_paths(outputs: Sequence[Output], days: Mapping[DataId, int]) -> list[str]:
    """Return where the files of outputs will stand; `days` are the observing days of their exposures."""
    return [
        dataset_path(
            id=ref.id,
            type=ref.type,
            run=ref.run,
            data_id=ref.data_id,
            day_obs=days.get(ref.data_id),
            extension=extension,
        )
        for ref, extension in ((output.ref, output.extension) for output in outputs)
    ]
