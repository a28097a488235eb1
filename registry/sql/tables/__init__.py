"""Every table of the registry.

Keys inside are integers; UUIDs are for the world outside. Times are TAI nanoseconds. A dimension that does not apply
is the sentinel row 0 of its table, not NULL, so that foreign keys and uniqueness work on every engine alike. Guards
that need triggers (append-only, no overlapping validity) are created by the migrations, which a test keeps equal to
these files.
"""

from __future__ import annotations

from registry.sql.tables.collections import collection, collection_chain, dataset_type, run
from registry.sql.tables.columns import (
    ATTEMPT_OUTCOMES,
    COLLECTION_KINDS,
    DATA_ID,
    DATASET_MARKS,
    DATASET_STATUSES,
    FLOAT,
    INT,
    JOURNAL_OPS,
    MATCH_KINDS,
    NOT_APPLICABLE,
    ON_MISSING,
    OPEN_ENDED,
    POLICIES,
    QUALITY_FLAGS,
    QUANTUM_STATES,
    REPLAY_VERDICTS,
    Uid,
    metadata,
)
from registry.sql.tables.datasets import artifact, dataset, dataset_tag
from registry.sql.tables.dimensions import detector, exposure, instrument, physical_filter, readout_mode
from registry.sql.tables.notes import (
    calib_policy,
    context,
    dataset_mark,
    header_correction,
    quality_flag,
    replay,
    repository,
)
from registry.sql.tables.validity import calib_validity, registry_event
from registry.sql.tables.work import (
    calib_set,
    calib_set_member,
    config_blob,
    journal,
    quantum,
    quantum_attempt,
    quantum_input,
    quantum_note,
    quantum_output,
    software_env,
)

__all__ = [
    "ATTEMPT_OUTCOMES",
    "COLLECTION_KINDS",
    "DATASET_MARKS",
    "DATASET_STATUSES",
    "DATA_ID",
    "FLOAT",
    "INT",
    "JOURNAL_OPS",
    "MATCH_KINDS",
    "NOT_APPLICABLE",
    "ON_MISSING",
    "OPEN_ENDED",
    "POLICIES",
    "QUALITY_FLAGS",
    "QUANTUM_STATES",
    "REPLAY_VERDICTS",
    "Uid",
    "artifact",
    "calib_policy",
    "calib_set",
    "calib_set_member",
    "calib_validity",
    "collection",
    "collection_chain",
    "config_blob",
    "context",
    "dataset",
    "dataset_mark",
    "dataset_tag",
    "dataset_type",
    "detector",
    "exposure",
    "header_correction",
    "instrument",
    "journal",
    "metadata",
    "physical_filter",
    "quality_flag",
    "quantum",
    "quantum_attempt",
    "quantum_input",
    "quantum_note",
    "quantum_output",
    "readout_mode",
    "registry_event",
    "replay",
    "repository",
    "run",
    "software_env",
]
