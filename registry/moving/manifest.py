"""The manifest: JSON Lines, each record with the word ``is`` that says what it is.

====================  ==================================================================================================
``package``           first line: format, version, the repository it comes from, its newest event, what was asked for
``instrument``        with its detectors and filters
``type``              a dataset type
``exposure``          as `registry.dimensions.ExposureRecord`
``collection``        RUN, TAGGED or CALIBRATION
``dataset``           with size and hashes; ``file`` says whether its file is in the package
``validity``          a range that counts now: who certified it, when, why
``chain``, ``tag``    search paths and selections
``config``            configurations, notes and software by hash
``calibs``            a set of calibrations
``quantum``           with inputs, outputs and attempts
``mark``, ``flag``    what people say of data, as it counts now
``header``            a corrected header card
``end``               last line: number of lines and SHA-256 of all before it, so that a cut or changed manifest shows
====================  ==================================================================================================

Every record names others by what people call them (names, UUIDs), never by the row numbers of one database.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Self
from uuid import UUID

from registry.canonical import canonical_json
from registry.errors import VersionError
from registry.moving.package import FILES, MANIFEST, Package
from registry.refs import DataId

FORMAT = "isrflow-package"
VERSION = 1
LONGEST_LINE = 64 * 2**20
_EXTENSION = re.compile(r"(\.[A-Za-z][A-Za-z0-9]*){1,4}")
Record = Mapping[str, Any]


class ManifestWriter:
    """Writes records to a file, and the last line when it is closed without an error."""

    def __init__(self, path: Path) -> None:
        self._stream: IO[bytes] = path.open("wb")
        self._digest = hashlib.sha256()
        self._lines = 0

    def write(self, is_: str, **values: Any) -> None:
        """Write one record."""
        line = canonical_json({"is": is_, **values}).encode() + b"\n"
        self._stream.write(line)
        self._digest.update(line)
        self._lines += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.write("end", lines=self._lines, sha256=self._digest.hexdigest())
        self._stream.close()


def records(package: Package) -> Iterator[Record]:
    """Yield all records but the last, each as it is read.

    Raises
    ------
    CorruptDataset
        If the manifest was cut or changed; what was yielded before must not be used.
    VersionError
        If it was written by a newer program.
    """
    digest, lines, ended = hashlib.sha256(), 0, False
    with package.reading(MANIFEST) as stream:
        while line := stream.readline(LONGEST_LINE):
            record = _record(package, line, lines + 1)
            if ended:
                raise package.corrupt("its manifest goes on after its end")
            if lines == 0:
                _refuse_strange(package, record)
            if record["is"] == "end":
                ended = record.get("lines") == lines and record.get("sha256") == digest.hexdigest()
                if not ended:
                    raise package.corrupt("its manifest was changed: the hash in its last line is another")
                continue
            digest.update(line)
            lines += 1
            yield record
    if not ended:
        raise package.corrupt("its manifest was cut: the last line is missing")


def file_name(id_: UUID, extension: str) -> str:
    """Return the name of a dataset's file in a package."""
    return str(PurePosixPath(FILES, id_.hex[:2], f"{id_}{extension}"))


def extension_of(path: str) -> str:
    """Return the extension of a file, ``.fits.fz``; none if it has none that is plain."""
    found = re.search(_EXTENSION.pattern + "$", PurePosixPath(path).name)
    return found.group() if found else ""


def checked_extension(text: str) -> str:
    """Return an extension that is safe to write; `ValueError` for any other."""
    if text and not _EXTENSION.fullmatch(text):
        message = f"{text!r} is not the extension of a file"
        raise ValueError(message)
    return text


def data_id_of(values: Mapping[str, Any]) -> DataId:
    """Return a data id from its plain form; `ValueError` or `TypeError` if it is none."""
    data_id = DataId(**values)
    whole = (data_id.exposure, data_id.detector)
    words = (data_id.instrument, data_id.physical_filter or "")
    if not all(each is None or type(each) is int for each in whole) or not all(isinstance(w, str) for w in words):
        message = f"{dict(values)} is not a data id"
        raise ValueError(message)
    return data_id


def _record(package: Package, line: bytes, number: int) -> Record:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise package.corrupt(f"line {number} of its manifest is not JSON ({problem})") from problem
    if not isinstance(found, dict) or not isinstance(found.get("is"), str):
        raise package.corrupt(f"line {number} of its manifest is no record")
    return found


def _refuse_strange(package: Package, record: Record) -> None:
    if record["is"] != "package" or record.get("format") != FORMAT:
        raise package.corrupt(f"its manifest does not begin as one of {FORMAT}")
    version = record.get("version")
    if version != VERSION:
        message = f"the package {package.path} has format {version}; this program reads {VERSION}"
        raise VersionError(message, found=str(version), expected=str(VERSION), fix="pip install --upgrade isrflow")
