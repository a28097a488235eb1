"""Making the product of a capsule again, with nothing but the capsule: names and hashes first, then the work."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile, ZipInfo

from flows.capsule_manifest import MANIFEST, METADATA, Manifest, read_manifest
from flows.provenance import read_cards
from flows.replay import ReplayReport
from flows.replay_one import no_camera, replay_outputs
from isrflow.quantum.formatters import formatters_for
from isrflow.quantum.provenance import provenance_cards
from isrflow.quantum.types import dataset_types
from registry.errors import CorruptDataset, MissingDataset, UserError
from registry.refs import DatasetRef

_LARGEST_TEXT = 64 << 20
"""No description of a product is larger; who says so wants to fill the memory."""


@dataclass(frozen=True, slots=True)
class _Extracted:
    """The files of a capsule, hashes compared, in a scratch folder."""

    folder: Path
    places: Mapping[UUID, str]
    formats: Mapping[str, str]

    def path(self, ref: DatasetRef) -> Path:
        """Return where the file of a dataset is."""
        if ref.id not in self.places:
            raise MissingDataset(f"{ref} is not in the capsule", id=ref.id)
        return self.folder / self.places[ref.id]

    def get(self, ref: DatasetRef) -> object:
        """Read a dataset."""
        return formatters_for(no_camera)[self.formats[ref.type]].read(self.path(ref))


def replay_capsule(path: Path) -> ReplayReport:
    """Make the product of a capsule again and compare it with the one in the capsule; nothing else is needed.

    Raises
    ------
    UserError
        If the file is no capsule, or holds names that lead elsewhere, links, or files that it does not declare.
    CorruptDataset
        If files in it are not those that their hashes are of; all are listed.
    """
    try:
        with ZipFile(path) as crate, TemporaryDirectory(prefix="isrflow-capsule-") as scratch:
            manifest = _manifest(crate, path)
            folder = Path(scratch)
            _extract(crate, manifest, folder, path)
            formats = {row.name: row.formatter for row in dataset_types()}
            reader = _Extracted(folder, manifest.places, formats)
            (result,) = replay_outputs(reader, manifest.inputs, [manifest.product])
            remarks = (*_strange_cards(reader.path(manifest.product), manifest), *result.remarks)
            return ReplayReport((replace(result, remarks=remarks),), 1)
    except BadZipFile as error:
        raise UserError(f"{path} is not a capsule: {error}", fix="isrflow capsule DATASET -o FILE.zip") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _manifest(crate: ZipFile, path: Path) -> Manifest:
    """Return what the capsule says of itself, after a look at all names in it."""
    problems = _bad_names(crate.infolist())
    if problems:
        raise UserError(f"{path} is not opened: {'; '.join(problems)}", fix="ask for the capsule again")
    lacking = {MANIFEST, METADATA} - set(crate.namelist())
    if lacking:
        raise UserError(f"{path} is no capsule: it has no {' and no '.join(sorted(lacking))}")
    described = _json(crate, METADATA)
    described_ids = {one.get("@id") for one in described.get("@graph", ())} if isinstance(described, dict) else set()
    manifest = read_manifest(_json(crate, MANIFEST))
    strangers = set(crate.namelist()) - set(manifest.files) - {MANIFEST, METADATA}
    undescribed = set(manifest.files) - described_ids
    if strangers or undescribed:
        names = ", ".join(sorted(strangers | undescribed))
        raise UserError(f"{path} holds files that it does not declare, or declares too few: {names}")
    return manifest


def _bad_names(entries: list[ZipInfo]) -> list[str]:
    """Return what is wrong with the names of a zip file: they must stay inside, be plain files, and differ."""
    problems = []
    seen: set[str] = set()
    for entry in entries:
        name, pure = entry.filename, PurePosixPath(entry.filename)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or "\0" in name or str(pure) != name:
            problems.append(f"{name!r} is not a plain relative path")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG) or entry.is_dir():
            problems.append(f"{name!r} is not a plain file")
        if name.lower() in seen:
            problems.append(f"{name!r} is there twice")
        seen.add(name.lower())
    return problems


def _json(crate: ZipFile, name: str) -> Any:
    if crate.getinfo(name).file_size > _LARGEST_TEXT:
        raise UserError(f"{name} claims {crate.getinfo(name).file_size} bytes, which no description needs")
    try:
        return json.loads(crate.read(name))
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{name} cannot be read: {error}") from error


def _extract(crate: ZipFile, manifest: Manifest, folder: Path, path: Path) -> None:
    """Unpack the declared files, each compared with its size and hash while it is written."""
    problems = []
    for name, (size, sha256) in manifest.files.items():
        if name not in crate.namelist():
            problems.append(f"{name} is gone")
        elif crate.getinfo(name).file_size != size:
            problems.append(f"{name} has {crate.getinfo(name).file_size} bytes instead of {size}")
        elif _unpack(crate, name, folder / name) != sha256:
            problems.append(f"{name} was changed: its SHA-256 is another")
    registered = {ref.id: ref for ref in (manifest.product, *_inputs(manifest))}
    problems += [
        f"{manifest.places[id_]} is not the file of {ref}: the registry knew another SHA-256"
        for id_, ref in registered.items()
        if manifest.files[manifest.places[id_]][1] != ref.sha256
    ]
    if problems:
        raise CorruptDataset(
            f"{path} was changed since it was written:\n  " + "\n  ".join(problems),
            path=path,
            fix="ask for the capsule again",
        )


def _inputs(manifest: Manifest) -> tuple[DatasetRef, ...]:
    return (*manifest.inputs.data.values(), *manifest.inputs.calibs.values())


def _unpack(crate: ZipFile, name: str, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with crate.open(name) as source, target.open("xb") as out:
            while block := source.read(1 << 20):
                digest.update(block)
                out.write(block)
    except (BadZipFile, RuntimeError):  # a wrong CRC, or a password
        return ""
    return digest.hexdigest()


def _strange_cards(path: Path, manifest: Manifest) -> list[str]:
    """Say where the header of the product contradicts what the capsule says of it: it is signed by nobody."""
    cards = read_cards(path)
    wanted = provenance_cards(manifest.inputs, manifest.product.type)
    del wanted["ISRFLOW VERSION"]
    return [
        f"the product's header says {card} = {cards[card]}, the capsule {here}"
        for card, here in wanted.items()
        if cards and card in cards and cards[card] != str(here)
    ]
