"""The log of events, and which calibration holds when, as of which event."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint

from registry.sql.tables.columns import INT, OPEN_ENDED, key, refers, table, whole, words

registry_event = table(
    "registry_event",
    Column("seq", INT, primary_key=True, autoincrement=False),
    whole("at_ns"),
    words("actor"),
    words("kind"),
    words("reason"),
    words("payload"),
    words("prev_hash"),
    words("hash"),
    UniqueConstraint("hash"),
    Index(None, "kind", "seq"),
)

calib_validity = table(
    "calib_validity",
    key(),
    refers("collection_id", "collection.id"),
    refers("type_id", "dataset_type.id"),
    refers("instrument_id", "instrument.id"),
    refers("detector_id", "detector.id"),
    refers("filter_id", "physical_filter.id"),
    refers("mode_id", "readout_mode.id"),
    whole("begin_ns"),
    whole("end_ns"),
    refers("dataset_id", "dataset.id"),
    refers("certified_at", "registry_event.seq"),
    whole("revoked_at", default=OPEN_ENDED),  # a registry_event.seq, or OPEN_ENDED
    CheckConstraint("begin_ns < end_ns", name="begins_before_it_ends"),
    CheckConstraint("certified_at < revoked_at", name="certified_before_revoked"),
    # A whole index, not one WHERE revoked_at is open: asking what was valid in the past must be as fast as asking
    # what is.
    Index(
        "ix_calib_validity_lookup",
        *("type_id", "collection_id", "instrument_id", "detector_id", "filter_id", "mode_id", "revoked_at"),
        *("begin_ns", "end_ns", "certified_at", "dataset_id"),
    ),
    Index(None, "dataset_id"),
)
