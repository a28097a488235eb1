"""The description of a capsule as an RO-Crate 1.1: what is in it, and the action that made one file of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flows.capsule_manifest import MANIFEST, METADATA, PROVENANCE, README
from registry.lineage import ProvenanceRecord
from registry.prov.names import moment
from registry.refs import DatasetRef, QuantumInputs

CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
_FORMATS = {
    ".fits": "application/fits",
    ".gz": "application/gzip",
    ".fz": "application/fits",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".png": "image/png",
    ".txt": "text/plain",
}
_NAMES = {
    MANIFEST: "What isrflow replay reads",
    PROVENANCE: "W3C PROV-JSON of all that led to the product",
    README: "What this is",
    "config.json": "Recipe and settings",
    "environment.json": "Software environment",
}
_OPERATOR = "#operator"
_LICENSE = {
    "@id": "#license",
    "@type": "CreativeWork",
    "name": "Not stated",
    "description": "Ask whoever gave you this capsule.",
}


def crate_metadata(
    record: ProvenanceRecord, operator: str, places: Mapping[UUID, str], files: Mapping[str, tuple[int, str]]
) -> dict[str, Any]:
    """Return ``ro-crate-metadata.json`` as plain values.

    Parameters
    ----------
    record
        How the product was made.
    operator
        Who answers for its run.
    places
        Dataset to its file in the capsule.
    files
        All files of the capsule but this one, with size and SHA-256.
    """
    ref, inputs = record.ref, record.inputs
    known = {places[ref.id]: ref} | {places[one.id]: one for one in (*inputs.data.values(), *inputs.calibs.values())}
    action = _action(record, places[ref.id], sorted({*known, "config.json"} - {places[ref.id]}))
    about = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{ref.type} of {ref.data_id}",
        "description": f"{ref} with all that it was made of; `isrflow replay THIS.zip` makes it again and compares.",
        "datePublished": action["endTime"],
        "license": {"@id": _LICENSE["@id"]},
        "hasPart": [{"@id": path} for path in sorted(files)],
        "mainEntity": {"@id": places[ref.id]},
        "mentions": [{"@id": action["@id"]}],
    }
    members = [_file(path, size, sha256, known.get(path)) for path, (size, sha256) in sorted(files.items())]
    person = {"@id": _OPERATOR, "@type": "Person", "name": operator}
    return {"@context": CONTEXT, "@graph": [about, root, *members, action, _software(inputs), person, _LICENSE]}


def _action(record: ProvenanceRecord, product: str, objects: Sequence[str]) -> dict[str, Any]:
    """Return the work that made the product."""
    inputs = record.inputs
    quantum = inputs.quantum
    made = {
        "@id": f"urn:uuid:{quantum.uuid}",
        "@type": "CreateAction",
        "name": f"{quantum.task}, attempt {quantum.attempt}",
        "instrument": {"@id": _software_id(inputs)},
        "agent": {"@id": _OPERATOR},
        "object": [{"@id": path} for path in objects],
        "result": [{"@id": product}],
        "endTime": moment(quantum.ended_ns or quantum.started_ns or 0),
    }
    return made if quantum.started_ns is None else made | {"startTime": moment(quantum.started_ns)}


def _software(inputs: QuantumInputs) -> dict[str, Any]:
    return {
        "@id": _software_id(inputs),
        "@type": "SoftwareApplication",
        "name": "isrflow",
        "softwareVersion": str(inputs.software.get("packages", {}).get("isrflow", "unknown")),
        "softwareRequirements": {"@id": "environment.json"},
    }


def _software_id(inputs: QuantumInputs) -> str:
    return f"#isrflow-{inputs.software_sha256[:12]}"


def _file(path: str, size: int, sha256: str, ref: DatasetRef | None) -> dict[str, Any]:
    told = {
        "@id": path,
        "@type": "File",
        "name": _NAMES.get(path, str(ref or path)),
        "contentSize": str(size),
        "encodingFormat": _FORMATS.get(path[path.rfind(".") :], "application/octet-stream"),
        "sha256": sha256,
    }
    return told if ref is None else told | {"identifier": f"urn:uuid:{ref.id}"}
