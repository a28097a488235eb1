"""Where a dataset's file stands: readable by people, unique by the short id at its end."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from uuid import UUID

from registry.refs import DataId

RAW = "raw"
"""The dataset type that is filed by instrument, not by run."""


def dataset_path(*, id: UUID, type: str, run: str, data_id: DataId, day_obs: int | None, extension: str) -> str:  # noqa: A002
    """Return the path of a dataset's file, relative to the datastore.

    ``<run>/<type>/<day>/<type>_<instrument>_<exposure>_<detector>[_<filter>]_<short id><extension>``, the day being
    ``_`` where there is none; raws stand
    below ``raw/<instrument>/`` in place of ``<run>/<type>/``. What does not apply is left out of the name.

    Parameters
    ----------
    id, type, run, data_id
        The identity of the dataset.
    day_obs
        Observing day of its exposure as YYYYMMDD; None if it has no exposure.
    extension
        With the dot: ``".fits"``.
    """
    folder = (
        PurePosixPath(RAW, _word(data_id.instrument)[:_LONGEST_FOLDER]) if type == RAW else _folder(run) / _word(type)
    )
    words = [type, data_id.instrument, data_id.exposure, data_id.detector, data_id.physical_filter, id.hex[:8]]
    name = "_".join(_word(str(word)) for word in words if word is not None)
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 9]}_{id.hex[:8]}"
    return str(folder / (str(day_obs) if day_obs else "_") / (name + extension))


_LONGEST_NAME, _LONGEST_FOLDER = 180, 100
"""Of a file and of a folder, in characters; file systems take 255 bytes, and a temporary name is longer."""


def _folder(run: str) -> PurePosixPath:
    return PurePosixPath(*(_word(part)[:_LONGEST_FOLDER] for part in run.split("/") if part))


def _word(text: str) -> str:
    """Spell a text with letters that no file system or shell minds; no leading dot, so that nothing is hidden."""
    return re.sub(r"^\.", "-", re.sub(r"[^A-Za-z0-9._+-]+", "-", text))
