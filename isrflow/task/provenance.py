"""Which datasets a task was given: cards in the header of the raw, under the reference's names."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from isrflow.calibs.stated import cards_of


def note_inputs(header: MutableMapping[str, Any], inputs: Mapping[str, Any], refs: Any) -> None:
    """Note run, id and date of every input that is a dataset, by name.

    Parameters
    ----------
    header
        Of the raw exposure; ``LSST CALIB RUN|UUID|DATE <INPUT>`` are set.
    inputs
        The values, by name.
    refs
        Attributes are named like the inputs; those with ``run`` and ``id`` are datasets.
    """
    for name, ref in sorted(vars(refs).items()):
        if hasattr(ref, "run") and hasattr(ref, "id"):
            header[f"LSST CALIB RUN {name.upper()}"] = str(ref.run)
            header[f"LSST CALIB UUID {name.upper()}"] = str(ref.id)
            header[f"LSST CALIB DATE {name.upper()}"] = date_of(inputs.get(name))


def date_of(calib: Any) -> str:
    """Return when a calibration was made, as its header says: date and time, or Unknown for either."""
    cards = cards_of(calib) or {}
    stem = "CALIB_CREATION" if "CALIB_CREATION_DATE" in cards else "CALIB_CREATE"
    return f"{cards.get(f'{stem}_DATE', 'Unknown')} {cards.get(f'{stem}_TIME', 'Unknown')}"
