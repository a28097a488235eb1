"""Where a product says what it was made of: cards in its header, and the key that tells whether it is up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isrflow import __version__
from isrflow.quantum.config import decisive
from isrflow.quantum.notes import note_cards
from registry.canonical import sha256_json
from registry.refs import DatasetRef, Match, QuantumInputs, dataset_uuid


def content_key(
    task: str,
    config: Mapping[str, Any],
    inputs: Iterable[tuple[str, DatasetRef]],
    calibs: Mapping[str, Match],
    made: Mapping[str, str] | None = None,
    *,
    headers: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Return the hash of all that decides a quantum's result.

    Task, code version, recipe and the settings of what is switched on, and the science content of every input, the
    camera among them: two quanta with one key give identical products, whatever their runs, ids and file names.

    Parameters
    ----------
    task, config
        The work; `config` as the registry stores it.
    inputs
        Role and dataset of what is there already.
    calibs
        What was resolved, by role.
    made
        Role to content key of the quantum that makes an input which need not be there yet.
    headers
        Role to the cards of its header that are corrected.
    """
    used = [(role, ref.content_sha256 or ref.sha256) for role, ref in inputs]
    used += [(role, match.ref.content_sha256 or match.ref.sha256) for role, match in calibs.items()]
    used += (made or {}).items()
    content = {"task": task, "version": __version__, "config": decisive(config), "inputs": sorted(used)}
    return sha256_json(content | ({"headers": headers} if headers else {}))


def software() -> Mapping[str, Any]:
    """Return what results are computed with: all that can change a pixel, see `isrflow.quantum.environment`."""
    from isrflow.quantum.environment import environment

    return environment()


def provenance_cards(inputs: QuantumInputs, product: str) -> dict[str, str]:
    """Return the header cards of a product: its own id, and those and the hashes of all that went into it.

    ``ISRFLOW`` DATASET, QUANTUM, RUN, SOFTWARE, CALIBSET and, for each role, ID and SHA256 say which run this was,
    where it ran and which files it read: they are volatile, because the same masters made in another run or
    repository have other ids and dates. What decided the pixels counts: TASK, VERSION and CONFIG (a hash of what the
    registry keeps), CONTEXT (the frozen context, if there was one), for each role CONTENT (the hash of what it says),
    and for calibrations MATCH (how it was found) and, if that is ``nearest``, GAP in seconds. `flows.provenance`
    compares these cards with the registry.
    """
    quantum = inputs.quantum
    cards = {
        "ISRFLOW DATASET": str(dataset_uuid(quantum.run, product, quantum.data_id)),
        "ISRFLOW QUANTUM": str(quantum.uuid),
        "ISRFLOW RUN": quantum.run,
        "ISRFLOW TASK": quantum.task,
        "ISRFLOW VERSION": __version__,
        "ISRFLOW CONFIG": inputs.config_sha256,
        "ISRFLOW SOFTWARE": inputs.software_sha256,
        "ISRFLOW CALIBSET": inputs.calib_set_sha256,
    }
    if inputs.context is not None:
        cards["ISRFLOW CONTEXT"], cards["ISRFLOW CONTEXT SHA256"] = inputs.context
    for role, ref in sorted({**inputs.data, **inputs.calibs}.items()):
        word = role_word(role)
        cards[f"ISRFLOW {word} ID"] = str(ref.id)
        cards[f"ISRFLOW {word} SHA256"] = ref.sha256 or ""
        cards[f"ISRFLOW CONTENT {word}"] = ref.content_sha256 or ref.sha256 or ""
        if role in inputs.matches:
            cards |= _match_cards(word, inputs.matches[role])
    return cards | note_cards(inputs.notes)


def role_word(role: str) -> str:
    """Spell a role as it stands in cards."""
    return role.upper().replace(":", " ")


def _match_cards(word: str, match: Match) -> dict[str, str]:
    """Return how a calibration was found; one that was not valid says how far off it is."""
    cards: dict[str, str] = {f"ISRFLOW {word} MATCH": match.kind}
    return cards if match.kind != "nearest" else cards | {f"ISRFLOW {word} GAP": f"{match.gap_ns / 1e9:.3f} s"}
