"""What people say of data, and take back: bad datasets, flagged exposures, corrected headers, policies, contexts.

Like validity, a note counts from the event that made it (`added_at`) to the one that took it back (`removed_at`), and
is never deleted: what was thought of the data can be asked as of any event.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from registry.sql.tables.columns import (
    DATASET_MARKS,
    INT,
    OPEN_ENDED,
    POLICIES,
    QUALITY_FLAGS,
    REPLAY_VERDICTS,
    Uid,
    key,
    one_of,
    refers,
    table,
    whole,
    words,
)


def _lifetime() -> tuple[Column[int], Column[int], CheckConstraint]:
    """Return the events between which a note counts."""
    return (
        refers("added_at", "registry_event.seq"),
        whole("removed_at", default=OPEN_ENDED),
        CheckConstraint("added_at < removed_at", name="added_before_removed"),
    )


def _once(owner: Table, *columns: str) -> Index:
    """Let only one note that still counts say something of the same thing."""
    still = owner.c.removed_at == OPEN_ENDED
    name = f"uq_{owner.name}_open"
    return Index(
        name, *(owner.c[column] for column in columns), unique=True, sqlite_where=still, postgresql_where=still
    )


dataset_mark = table(
    "dataset_mark",
    key(),
    refers("dataset_id", "dataset.id"),
    words("kind"),
    *_lifetime(),
    one_of("kind", DATASET_MARKS),
    Index(None, "dataset_id", "removed_at"),
)
_once(dataset_mark, "dataset_id", "kind")

quality_flag = table(
    "quality_flag",
    key(),
    refers("exposure_id", "exposure.id"),
    refers("detector_id", "detector.id"),  # the sentinel means all detectors
    words("flag"),
    *_lifetime(),
    one_of("flag", QUALITY_FLAGS),
    Index(None, "exposure_id", "removed_at"),
)
_once(quality_flag, "exposure_id", "detector_id", "flag")

header_correction = table(
    "header_correction",
    key(),
    refers("exposure_id", "exposure.id"),
    refers("detector_id", "detector.id"),  # the sentinel means all detectors
    words("keyword"),
    words("value", nullable=True),  # JSON; NULL means that the card is taken away
    *_lifetime(),
    Index(None, "exposure_id", "removed_at"),
)
_once(header_correction, "exposure_id", "detector_id", "keyword")

calib_policy = table(
    "calib_policy",
    key(),
    refers("type_id", "dataset_type.id"),
    words("on_missing"),
    whole("max_gap_ns", nullable=True),  # how far away the nearest may be
    *_lifetime(),
    one_of("on_missing", POLICIES),
    CheckConstraint("(on_missing = 'nearest') = (max_gap_ns IS NOT NULL)", name="nearest_within_a_gap"),
)
_once(calib_policy, "type_id")

context = table(
    "context",
    key(),
    words("name"),
    refers("event_seq", "registry_event.seq"),
    words("path"),  # JSON: the collections searched, in order, chains opened
    words("policies"),  # JSON: what to do where a type is missing
    words("sha256"),  # of path, policies and the hash of the event: what is cited
    words("doc"),
    words("owner"),
    whole("created_ns"),
    UniqueConstraint("name"),
    UniqueConstraint("sha256", "name"),
)

replay = table(
    "replay",
    key(),
    refers("dataset_id", "dataset.id"),
    whole("at_ns"),
    words("verdict"),
    words("detail"),  # JSON: by how much it differs, or which input is gone
    refers("software_id", "software_env.id"),
    one_of("verdict", REPLAY_VERDICTS),
    Index(None, "dataset_id"),
)

repository = table(
    "repository",
    Column("id", INT, primary_key=True, autoincrement=False),
    Column("uuid", Uid(), nullable=False),
    whole("created_ns"),
    CheckConstraint("id = 1", name="only_one"),
)
