"""A capsule: one product with all that it was made of in one zip file, to be made again where nothing else is.

The file is an RO-Crate 1.1. It is deterministic: the same product of the same registry gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from flows.capsule_manifest import MANIFEST, METADATA, PROVENANCE, README, manifest_values, places_of
from flows.capsule_metadata import crate_metadata
from flows.repo import Repo
from registry.canonical import canonical_json
from registry.datastore.base import file_fingerprint
from registry.errors import CorruptDataset, RegistryError, UserError
from registry.refs import DatasetRef
from registry.words import spell_bytes

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that zip files know: the same in every capsule
_README = """This is a product of isrflow with everything that it was made of.

  {product}

isrflow replay THIS.zip     makes it again and says whether it comes out the same; no repository is needed.
ro-crate-metadata.json      says what every file is (RO-Crate 1.1), with sizes and SHA-256.
provenance.prov.json        says how the product and its calibrations came about (W3C PROV-JSON).
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A capsule that was written."""

    path: Path
    product: DatasetRef
    n_files: int
    n_bytes: int
    sha256: str

    def render(self) -> str:
        """Return it as text."""
        told = f"{self.path}: {self.product} and {self.n_files - 1} more files, {spell_bytes(self.n_bytes)}"
        return f"{told}\nnext:\n  isrflow replay {self.path}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "path": str(self.path),
            "dataset": str(self.product.id),
            "n_files": self.n_files,
            "n_bytes": self.n_bytes,
            "sha256": self.sha256,
        }


def write_capsule(repo: Repo, ref: DatasetRef, path: Path, *, overwrite: bool = False) -> Written:
    """Write the capsule of a product.

    Parameters
    ----------
    repo
        Where the product is.
    ref
        A dataset that a quantum made.
    path
        The file to write; it appears when it is whole.
    overwrite
        Replace a file that is there.

    Raises
    ------
    MissingDataset
        If the dataset was made by no quantum.
    UserError
        If the file exists.
    CorruptDataset
        If files are gone, or not what was registered; all are listed, and nothing is written.
    """
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists", fix="--force, or another name after -o")
    record = repo.butler.provenance(ref)
    ref = record.ref
    places = places_of(ref, record.inputs)
    sources = _sources(repo, [ref, *record.inputs.data.values(), *record.inputs.calibs.values()], places)
    texts = {
        "config.json": canonical_json(dict(record.inputs.config)),
        "environment.json": json.dumps(record.inputs.software, indent=1, sort_keys=True),
        PROVENANCE: _prov(repo, ref),
        README: _README.format(product=ref),
    }
    files = {place: (size, sha256) for place, (_, size, sha256) in sources.items()}
    files |= {name: _measured(text) for name, text in texts.items()}
    manifest = manifest_values(ref, record.inputs, files)
    texts[MANIFEST] = json.dumps(manifest, indent=1, sort_keys=True)
    files[MANIFEST] = _measured(texts[MANIFEST])
    operator = repo.butler.collections(ref.run)[0].owner
    metadata = crate_metadata(record, operator, places, files)
    texts[METADATA] = json.dumps(metadata, indent=1, ensure_ascii=False)
    _write(path, texts, {place: source for place, (source, _, _) in sources.items()})
    fingerprint = file_fingerprint(path)
    return Written(path, ref, len(files) + 1, fingerprint.size, fingerprint.sha256)


def _sources(repo: Repo, refs: list[DatasetRef], places: Mapping[UUID, str]) -> dict[str, tuple[Path, int, str]]:
    """Return the files to pack by their places, all of them compared with their hashes."""
    found: dict[str, tuple[Path, int, str]] = {}
    problems = []
    for ref in refs:
        try:
            source = repo.butler.path(ref)
            fingerprint = file_fingerprint(source)
        except (RegistryError, OSError) as error:
            problems.append(str(error))
            continue
        if fingerprint.sha256 != ref.sha256:
            problems.append(f"the file of {ref} was changed: its SHA-256 is {fingerprint.sha256[:12]}")
        found[places[ref.id]] = (source, fingerprint.size, fingerprint.sha256)
    if problems:
        raise CorruptDataset("nothing was packed:\n  " + "\n  ".join(problems), fix="isrflow verify --full")
    return found


def _prov(repo: Repo, ref: DatasetRef) -> str:
    out = io.StringIO()
    repo.butler.write_prov(out, ref)
    return out.getvalue()


def _measured(text: str) -> tuple[int, str]:
    data = text.encode()
    return len(data), hashlib.sha256(data).hexdigest()


def _write(path: Path, texts: Mapping[str, str], sources: Mapping[str, Path]) -> None:
    """Write the zip beside its final name, and rename it when it is whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with ZipFile(draft, "w", ZIP_STORED) as crate:
            # What a reader wants first comes first; the rest in the order of names.
            for name in (METADATA, *sorted((set(texts) | set(sources)) - {METADATA})):
                if name in texts:
                    crate.writestr(_entry(name), texts[name].encode())
                else:
                    _add(crate, name, sources[name])
        draft.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _add(crate: ZipFile, name: str, source: Path) -> None:
    entry = _entry(name)
    entry.file_size = source.stat().st_size  # the zip module chooses its form of large files by it
    with source.open("rb") as file, crate.open(entry, "w") as out:
        shutil.copyfileobj(file, out, 1 << 20)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _LONG_AGO)
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    return entry
