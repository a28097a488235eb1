# ruff: noqa: S608 - the SQL is put together from constants of this file
"""The guards of `guards.py` in PostgreSQL, by revision; the same refusals in the same words; never edit a released one.

What SQLite's trigger for overlaps does is a constraint here, bitemporal like the table: no two rows of a key may share
both an instant of time and a moment of the registry's clock. An index of this kind knows equality of numbers only with
an extension, which many servers do not offer. So two numbers of the key are a point, and points are the same if they
overlap: exact for row numbers below 2**53, and two and a half times faster than ranges of one number each (46,000 rows
a second against 18,000; most selective first).

Guards on INSERT look at all rows of a statement at once, after it, so that a stream of rows is checked by one query.
"""

from __future__ import annotations

_OPEN = 2**62  # spelled out: a released revision must not change with the code
_NEWEST = "(SELECT max(seq) FROM registry_event)"
_KEY = ("collection_id", "type_id", "instrument_id", "detector_id", "filter_id", "mode_id")
_FIXED = ("id", *_KEY, "begin_ns", "end_ns", "dataset_id", "certified_at")


def _same(x: str, y: str) -> str:
    """Spell that two columns are both equal, for an index that knows overlaps only."""
    return f"box(point({x}, {y}), point({x}, {y})) WITH &&"


OVERLAP = (
    "ALTER TABLE calib_validity ADD CONSTRAINT ex_calib_validity_overlap EXCLUDE USING gist ("
    f"{_same('detector_id', 'type_id')}, int8range(begin_ns, end_ns) WITH &&, "
    f"{_same('filter_id', 'collection_id')}, {_same('instrument_id', 'mode_id')}, "
    "int8range(certified_at, revoked_at) WITH &&)"
)


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN {body} END $guard$"


def _refuse(condition: str, message: str) -> str:
    message = message.replace("'", "''")
    told = f"RAISE EXCEPTION USING MESSAGE = 'registry guard: {message}', ERRCODE = 'integrity_constraint_violation'"
    return f"IF {condition} THEN {told}; END IF;"


def _on_rows(table: str, name: str, *refusals: str) -> tuple[str, str]:
    """Spell a guard over all rows that a statement inserts, which it sees as the table `fresh`."""
    trigger = (
        f"CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )
    return _function(name, " ".join(refusals) + " RETURN NULL;"), trigger


def _on_row(table: str, event: str, name: str, *refusals: str) -> tuple[str, str]:
    """Spell a guard over every row that is changed (NEW, OLD) or deleted (OLD)."""
    kept = "OLD" if event == "DELETE" else "NEW"
    trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    return _function(name, " ".join(refusals) + f" RETURN {kept};"), trigger


def _never(table: str, event: str, name: str, message: str) -> tuple[str, str]:
    """Spell a guard against every change of a kind."""
    return _on_row(table, event, name, _refuse("true", message))


def _changed(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


VALIDITY = (
    OVERLAP,
    *_on_rows(
        "calib_validity",
        "calib_validity_enters_well",
        _refuse(
            f"EXISTS (SELECT 1 FROM fresh AS f WHERE f.revoked_at <> {_OPEN}"
            f" OR f.certified_at IS DISTINCT FROM {_NEWEST})",
            "append-only: a validity row must enter open, stamped with the newest event",
        ),
        _refuse(
            "EXISTS (SELECT 1 FROM fresh AS f LEFT JOIN dataset AS d ON d.id = f.dataset_id AND d.type_id = f.type_id"
            " AND d.instrument_id = f.instrument_id AND d.detector_id = f.detector_id AND d.filter_id = f.filter_id"
            " LEFT JOIN collection AS c ON c.id = f.collection_id"
            " WHERE d.id IS NULL OR c.kind IS DISTINCT FROM 'CALIBRATION')",
            "key: a validity row has the key of its dataset, in a CALIBRATION collection",
        ),
    ),
    *_on_row(
        "calib_validity",
        "UPDATE",
        "calib_validity_is_only_revoked",
        _refuse(
            f"OLD.revoked_at <> {_OPEN} OR NEW.revoked_at IS DISTINCT FROM {_NEWEST} OR {_changed(_FIXED)}",
            "append-only: of a validity row only revoked_at may be closed, once, with the newest event",
        ),
    ),
    *_never("calib_validity", "DELETE", "calib_validity_stays", "append-only: validity rows are never deleted"),
)

EVENTS = (
    *_on_row(
        "registry_event",
        "INSERT",
        "registry_event_follows_the_last",
        _refuse(
            f"NEW.seq IS DISTINCT FROM coalesce({_NEWEST}, 0) + 1 OR NEW.prev_hash IS DISTINCT FROM"
            f" coalesce((SELECT hash FROM registry_event WHERE seq = {_NEWEST}), '')",
            "append-only: an event must follow the last one",
        ),
    ),
    *_never("registry_event", "UPDATE", "registry_event_does_not_change", "append-only: events are never changed"),
    *_never("registry_event", "DELETE", "registry_event_stays", "append-only: events are never deleted"),
)

DATASETS = (
    *_on_rows(
        "dataset",
        "dataset_enters_an_open_run",
        # Locked, so that a run cannot be frozen while datasets enter it.
        "PERFORM 1 FROM collection WHERE id IN (SELECT run_id FROM fresh) ORDER BY id FOR SHARE;",
        _refuse(
            "EXISTS (SELECT 1 FROM fresh AS f LEFT JOIN collection AS c ON c.id = f.run_id"
            " WHERE c.kind IS DISTINCT FROM 'RUN' OR c.frozen IS DISTINCT FROM 0)",
            "frozen: datasets are only added to a RUN collection that is not frozen",
        ),
    ),
    *_on_row(
        "dataset",
        "UPDATE",
        "dataset_keeps_its_identity",
        _refuse(
            _changed(("id", "uuid", "type_id", "run_id", "instrument_id", "exposure_id", "detector_id", "filter_id")),
            "identity: what a dataset is never changes",
        ),
    ),
    *_on_row(
        "dataset",
        "DELETE",
        "dataset_leaves_only_unpublished",
        _refuse("OLD.status <> 'STAGED'", "identity: a published dataset is never forgotten, only purged"),
    ),
)

CHAINS = (
    *_on_row(
        "collection_chain",
        "INSERT",
        "collection_chain_is_sound",
        _refuse(
            "NEW.parent_id IN (WITH RECURSIVE below(id) AS (SELECT NEW.child_id UNION SELECT c.child_id"
            " FROM collection_chain AS c JOIN below ON c.parent_id = below.id) SELECT id FROM below)",
            "cycle: a chain cannot contain itself",
        ),
        _refuse(
            "(SELECT kind FROM collection WHERE id = NEW.parent_id) IS DISTINCT FROM 'CHAINED'",
            "kind: only a CHAINED collection has children",
        ),
    ),
    *_never(
        "collection_chain",
        "UPDATE",
        "collection_chain_is_rewritten",
        "cycle: links are removed and added, not changed",
    ),
)

POSTGRESQL_0001 = VALIDITY + EVENTS + DATASETS + CHAINS


def _remembered(table: str, fixed: tuple[str, ...]) -> tuple[str, ...]:
    """Spell the guards of a table whose rows enter open, are closed once, and stay."""
    return (
        *_on_rows(
            table,
            f"{table}_enters_open",
            _refuse(
                f"EXISTS (SELECT 1 FROM fresh AS f WHERE f.removed_at <> {_OPEN}"
                f" OR f.added_at IS DISTINCT FROM {_NEWEST})",
                f"append-only: a row of {table} must enter open, stamped with the newest event",
            ),
        ),
        *_on_row(
            table,
            "UPDATE",
            f"{table}_is_only_closed",
            _refuse(
                f"OLD.removed_at <> {_OPEN} OR NEW.removed_at IS DISTINCT FROM {_NEWEST}"
                f" OR {_changed(('id', *fixed, 'added_at'))}",
                f"append-only: of a row of {table} only removed_at may be closed, once, with the newest event",
            ),
        ),
        *_never(table, "DELETE", f"{table}_stays", f"append-only: rows of {table} are never deleted"),
    )


def _never_emptied(table: str) -> tuple[str, str]:
    """Spell a guard against TRUNCATE, which asks no guard of rows."""
    name = f"{table}_is_never_emptied"
    trigger = f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    return _function(name, _refuse("true", f"append-only: {table} is never emptied") + " RETURN NULL;"), trigger


def postgresql_0002(remembered: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Spell the guards of 0002; the tables whose rows are taken back are listed in `guards.py`."""
    return (
        *(statement for table, fixed in remembered.items() for statement in _remembered(table, fixed)),
        *_never("context", "UPDATE", "context_does_not_change", "append-only: a context is frozen"),
        *_never("context", "DELETE", "context_stays", "append-only: a context is never deleted"),
        *_on_row(
            "collection",
            "UPDATE",
            "collection_keeps_name_and_kind",
            _refuse(
                f"{_changed(('id', 'name', 'kind'))} OR NEW.frozen < OLD.frozen",
                "frozen: a collection keeps its name and kind, and is never thawed",
            ),
        ),
        *(
            statement
            for table in ("calib_validity", "registry_event", "dataset", "context", *remembered)
            for statement in _never_emptied(table)
        ),
    )
