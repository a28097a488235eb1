"""What a capsule says of the product in it, for the program that makes it again: plain values, and back.

People and other programs read ``ro-crate-metadata.json`` and ``provenance.prov.json``; ``quantum.json`` is the same in
the registry's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from registry.canonical import sha256_json
from registry.errors import CorruptDataset, UserError
from registry.refs import DataId, DatasetRef, Match, QuantumInputs, QuantumRow

FORMAT = "isrflow capsule 1"
MANIFEST = "quantum.json"
METADATA = "ro-crate-metadata.json"
PROVENANCE = "provenance.prov.json"
README = "README.txt"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The product, the work that made it, and the files of both: path in the capsule to size and SHA-256."""

    product: DatasetRef
    inputs: QuantumInputs
    files: Mapping[str, tuple[int, str]]
    places: Mapping[UUID, str]
    """Dataset to its file in the capsule."""


def places_of(product: DatasetRef, inputs: QuantumInputs) -> dict[UUID, str]:
    """Return where the file of each dataset lies in a capsule; one dataset in two roles is one file."""
    places = {product.id: f"product/{_file_name(product)}"}
    for role, ref in {**inputs.data, **inputs.calibs}.items():
        places.setdefault(ref.id, f"inputs/{_tame(role)}/{_file_name(ref)}")
    return places


def manifest_values(product: DatasetRef, inputs: QuantumInputs, files: Mapping[str, tuple[int, str]]) -> dict[str, Any]:
    """Return the manifest as plain values."""
    quantum, places = inputs.quantum, places_of(product, inputs)
    return {
        "format": FORMAT,
        "product": _plain(product, places),
        "quantum": {
            "uuid": str(quantum.uuid),
            "run": quantum.run,
            "task": quantum.task,
            "data_id": quantum.data_id.to_dict(),
            "content_key": quantum.content_key,
        },
        "data": {role: _plain(ref, places) for role, ref in inputs.data.items()},
        "calibs": {
            role: _plain(match.ref, places)
            | {"validity_id": match.validity_id, "collection": match.collection, "warning": match.warning}
            | {"kind": match.kind, "gap_ns": match.gap_ns}
            for role, match in inputs.matches.items()
        },
        "config": dict(inputs.config),
        "config_sha256": inputs.config_sha256,
        "software": dict(inputs.software),
        "software_sha256": inputs.software_sha256,
        "calib_set_sha256": inputs.calib_set_sha256,
        "context": None if inputs.context is None else list(inputs.context),
        "notes": dict(inputs.notes),
        "files": {path: {"size": size, "sha256": sha256} for path, (size, sha256) in sorted(files.items())},
    }


def read_manifest(values: Any) -> Manifest:
    """Return a manifest from plain values, after a look at its own hashes.

    Raises
    ------
    UserError
        If these are not the values of a manifest that this version can read.
    CorruptDataset
        If configuration or software are not those that the hashes are of.
    """
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise UserError(
            f"{MANIFEST} is not of the format {FORMAT!r} but {found!r}", fix="isrflow capsule DATASET -o FILE"
        )
    try:
        manifest = _read(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{MANIFEST} lacks something or has it in another form: {error!r}") from error
    for name in ("config", "software"):
        if sha256_json(values[name]) != values[f"{name}_sha256"]:
            raise CorruptDataset(f"the {name} in {MANIFEST} was changed: its hash is another", path=MANIFEST)
    for id_, place in manifest.places.items():
        if place not in manifest.files:
            raise UserError(f"{MANIFEST} names no file for dataset {id_}: there is no {place}")
    return manifest


def _read(values: Mapping[str, Any]) -> Manifest:
    quantum = values["quantum"]
    row = QuantumRow(
        id=0,
        uuid=UUID(quantum["uuid"]),
        run=quantum["run"],
        task=quantum["task"],
        data_id=DataId(**quantum["data_id"]),
        state="done",
        content_key=quantum["content_key"],
    )
    matches = {
        role: Match(_ref(one), one["validity_id"], one["collection"], one["warning"], one["kind"], one["gap_ns"])
        for role, one in values["calibs"].items()
    }
    inputs = QuantumInputs(
        quantum=row,
        data={role: _ref(one) for role, one in values["data"].items()},
        calibs={role: match.ref for role, match in matches.items()},
        matches=matches,
        config=values["config"],
        config_sha256=values["config_sha256"],
        software=values["software"],
        software_sha256=values["software_sha256"],
        calib_set_sha256=values["calib_set_sha256"],
        context=None if values["context"] is None else (values["context"][0], values["context"][1]),
        notes=values["notes"],
    )
    files = {path: (int(one["size"]), str(one["sha256"])) for path, one in values["files"].items()}
    parts = [values["product"], *values["data"].values(), *values["calibs"].values()]
    places = {UUID(one["id"]): str(one["file"]) for one in parts}
    return Manifest(_ref(values["product"]), inputs, files, places)


def _plain(ref: DatasetRef, places: Mapping[UUID, str]) -> dict[str, Any]:
    return {
        "id": str(ref.id),
        "type": ref.type,
        "run": ref.run,
        "data_id": ref.data_id.to_dict(),
        "size": ref.size,
        "sha256": ref.sha256,
        "content_sha256": ref.content_sha256,
        "file": places[ref.id],
    }


def _ref(one: Mapping[str, Any]) -> DatasetRef:
    stored = (one["sha256"], one["content_sha256"], one["size"], one["file"])
    return DatasetRef(UUID(one["id"]), one["type"], one["run"], DataId(**one["data_id"]), *stored)


def _file_name(ref: DatasetRef) -> str:
    return _tame(PurePosixPath(str(ref.path)).name)


def _tame(name: str) -> str:
    """Return a name that every file system takes: a raw left in place may be called anything."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name).lstrip(".") or "_"
