"""What people note is found by indexes: no growing table is read whole for a night's flags and corrected headers."""

from __future__ import annotations

from registry.refs import DataId
from registry.sql.flags import flags_of, set_flag
from registry.sql.header_corrections import correct_headers, corrections_of
from registry.sql.made_of import doubts, made_of
from registry.sql.noted_targets import places
from registry.sql.notes import mark, marks_of
from tests.registry.plans import plans_of

SAID = {"actor": "ada", "reason": "haze"}
NOTES = {"quality_flag", "header_correction", "dataset_mark"}


def test_notes_are_found_by_indexes(world):
    data_ids = [world.expose(number, 10 * number, 10 * number + 5) for number in range(1, 6)]
    refs = [world.dataset("raw/1", "raw", data_id) for data_id in data_ids] + [world.calib("calibs/1")]
    with world.write() as connection:
        set_flag(connection, data_ids[:2], "bad", **SAID)
        correct_headers(connection, data_ids[:2], "KEY", 1, **SAID)
        mark(connection, refs[:2], "bad", **SAID)
    with plans_of(world.engine) as plans, world.read() as connection:
        flags_of(connection, data_ids)
        corrections_of(connection, data_ids)
        marks_of(connection, refs)
        made_of(connection, places(connection, [DataId("lupine", 1)]).values(), lambda cards: not cards)
        doubts(connection, [ref.id for ref in refs])
    assert len(plans) > 8
    assert [str(plan) for plan in plans if plan.scanned - NOTES] == []
