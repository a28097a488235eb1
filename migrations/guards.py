# ruff: noqa: S608 - the SQL is put together from constants of this file
"""Triggers that hold what no constraint can say in SQLite, by revision; never edit a released one.

Each message begins with "registry guard: " so that the program can tell it from other errors.

Why the three on `calib_validity` are enough for bitemporal non-overlap (at every past moment, no two visible rows of
a key shared an instant): a row enters open, stamped with the newest event, and only if no open row of its key
overlaps it; a row changes only once, from open to revoked by the newest event; no row leaves. Open rows of a key
never overlap, so of all that begin before the new one ends the latest decides: if that one ends before the new one
begins, all do. That is one step in an index instead of a scan.
"""

from __future__ import annotations

_OPEN = 2**62  # spelled out: a released revision must not change with the code
_NEWEST = "(SELECT max(seq) FROM registry_event)"
_KEY = ("collection_id", "type_id", "instrument_id", "detector_id", "filter_id", "mode_id")
_FIXED = ("id", *_KEY, "begin_ns", "end_ns", "dataset_id", "certified_at")


def _trigger(name: str, when: str, condition: str, message: str) -> str:
    """Spell a trigger that aborts the statement if the condition holds."""
    refusal = f"SELECT RAISE(ABORT, 'registry guard: {message}') WHERE {condition};"
    return f"CREATE TRIGGER {name} BEFORE {when} BEGIN {refusal} END"


def _same_key(row: str) -> str:
    """Compare the match key of a row with the new one."""
    return " AND ".join(f"{row}.{column} = NEW.{column}" for column in _KEY)


_LATEST_END = f"""coalesce((
    SELECT v.end_ns FROM calib_validity AS v
    WHERE {_same_key("v")} AND v.revoked_at = {_OPEN} AND v.begin_ns < NEW.end_ns
    ORDER BY v.begin_ns DESC LIMIT 1), NEW.begin_ns) > NEW.begin_ns"""

_STRANGER = """NOT EXISTS (
    SELECT 1 FROM dataset AS d WHERE d.id = NEW.dataset_id AND d.type_id = NEW.type_id
    AND d.instrument_id = NEW.instrument_id AND d.detector_id = NEW.detector_id AND d.filter_id = NEW.filter_id)"""

_CHAIN_CYCLE = """NEW.parent_id IN (
    WITH RECURSIVE below(id) AS (
        SELECT NEW.child_id UNION SELECT c.child_id FROM collection_chain AS c JOIN below ON c.parent_id = below.id)
    SELECT id FROM below)"""

_KIND_OF_NEW = "(SELECT kind FROM collection WHERE id = NEW.{column})"

VALIDITY = (
    _trigger(
        "calib_validity_enters_open",
        "INSERT ON calib_validity",
        f"NEW.revoked_at <> {_OPEN} OR NEW.certified_at IS NOT {_NEWEST}"
        " OR EXISTS (SELECT 1 FROM calib_validity AS v WHERE v.id = NEW.id)",
        "append-only: a validity row must enter open, stamped with the newest event",
    ),
    _trigger(
        "calib_validity_does_not_overlap",
        "INSERT ON calib_validity",
        _LATEST_END,
        "overlap: another calibration is valid in that range",
    ),
    _trigger(
        "calib_validity_has_its_datasets_key",
        "INSERT ON calib_validity",
        f"{_STRANGER} OR {_KIND_OF_NEW.format(column='collection_id')} IS NOT 'CALIBRATION'",
        "key: a validity row has the key of its dataset, in a CALIBRATION collection",
    ),
    _trigger(
        "calib_validity_is_only_revoked",
        "UPDATE ON calib_validity",
        f"OLD.revoked_at <> {_OPEN} OR NEW.revoked_at IS NOT {_NEWEST} OR "
        + " OR ".join(f"NEW.{column} <> OLD.{column}" for column in _FIXED),
        "append-only: of a validity row only revoked_at may be closed, once, with the newest event",
    ),
    _trigger("calib_validity_stays", "DELETE ON calib_validity", "1", "append-only: validity rows are never deleted"),
)

EVENTS = (
    _trigger(
        "registry_event_follows_the_last",
        "INSERT ON registry_event",
        f"NEW.seq IS NOT coalesce({_NEWEST}, 0) + 1"
        f" OR NEW.prev_hash IS NOT coalesce((SELECT hash FROM registry_event WHERE seq = {_NEWEST}), '')",
        "append-only: an event must follow the last one",
    ),
    _trigger(
        "registry_event_does_not_change", "UPDATE ON registry_event", "1", "append-only: events are never changed"
    ),
    _trigger("registry_event_stays", "DELETE ON registry_event", "1", "append-only: events are never deleted"),
)

DATASETS = (
    _trigger(
        "dataset_enters_an_open_run",
        "INSERT ON dataset",
        "(SELECT kind = 'RUN' AND frozen = 0 FROM collection WHERE id = NEW.run_id) IS NOT 1",
        "frozen: datasets are only added to a RUN collection that is not frozen",
    ),
    _trigger(
        "dataset_keeps_its_identity",
        "UPDATE ON dataset",
        " OR ".join(
            f"NEW.{column} <> OLD.{column}"
            for column in (
                "id",
                "uuid",
                "type_id",
                "run_id",
                "instrument_id",
                "exposure_id",
                "detector_id",
                "filter_id",
            )
        ),
        "identity: what a dataset is never changes",
    ),
    _trigger(
        "dataset_leaves_only_unpublished",
        "DELETE ON dataset",
        "OLD.status <> 'STAGED'",
        "identity: a published dataset is never forgotten, only purged",
    ),
)

CHAINS = (
    _trigger(
        "collection_chain_has_no_cycle",
        "INSERT ON collection_chain",
        _CHAIN_CYCLE,
        "cycle: a chain cannot contain itself",
    ),
    _trigger(
        "collection_chain_hangs_on_a_chain",
        "INSERT ON collection_chain",
        f"{_KIND_OF_NEW.format(column='parent_id')} IS NOT 'CHAINED'",
        "kind: only a CHAINED collection has children",
    ),
    _trigger(
        "collection_chain_is_rewritten",
        "UPDATE ON collection_chain",
        "1",
        "cycle: links are removed and added, not changed",
    ),
)

SQLITE_0001 = VALIDITY + EVENTS + DATASETS + CHAINS


def _remembered(table: str, fixed: tuple[str, ...]) -> tuple[str, str, str]:
    """Spell the triggers of a table whose rows enter open, are closed once, and stay."""
    return (
        _trigger(
            f"{table}_enters_open",
            f"INSERT ON {table}",
            f"NEW.removed_at <> {_OPEN} OR NEW.added_at IS NOT {_NEWEST}",
            f"append-only: a row of {table} must enter open, stamped with the newest event",
        ),
        _trigger(
            f"{table}_is_only_closed",
            f"UPDATE ON {table}",
            f"OLD.removed_at <> {_OPEN} OR NEW.removed_at IS NOT {_NEWEST} OR "
            + " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in ("id", *fixed, "added_at")),
            f"append-only: of a row of {table} only removed_at may be closed, once, with the newest event",
        ),
        _trigger(f"{table}_stays", f"DELETE ON {table}", "1", f"append-only: rows of {table} are never deleted"),
    )


REMEMBERED = {
    "dataset_mark": ("dataset_id", "kind"),
    "quality_flag": ("exposure_id", "detector_id", "flag"),
    "header_correction": ("exposure_id", "detector_id", "keyword", "value"),
    "calib_policy": ("type_id", "on_missing", "max_gap_ns"),
    "dataset_tag": (
        "collection_id",
        "type_id",
        "instrument_id",
        "exposure_id",
        "detector_id",
        "filter_id",
        "dataset_id",
    ),
}
"""Tables of 0002 whose rows are taken back instead of deleted, with the columns that never change."""

SQLITE_0002 = (
    *(trigger for table, fixed in REMEMBERED.items() for trigger in _remembered(table, fixed)),
    _trigger("context_does_not_change", "UPDATE ON context", "1", "append-only: a context is frozen"),
    _trigger("context_stays", "DELETE ON context", "1", "append-only: a context is never deleted"),
    _trigger(
        "collection_keeps_name_and_kind",
        "UPDATE ON collection",
        "NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.kind <> OLD.kind OR NEW.frozen < OLD.frozen",
        "frozen: a collection keeps its name and kind, and is never thawed",
    ),
)
