"""What is looked up once a process is what the database says, also after others changed what can change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event

from registry.errors import UnknownName
from registry.refs import DataId, DatasetRef, DatasetType, dataset_uuid
from registry.sql.datasets import identity_values
from registry.sql.familiar import Familiar

RUN = "night/1"
RAW = DataId("lupine", 20260301005, 1)
BIAS = DataId("lupine", detector=0)


def ref(type_name: str, data_id: DataId, run: str = RUN) -> DatasetRef:
    return DatasetRef(dataset_uuid(run, type_name, data_id), type_name, run, data_id)


def test_it_says_what_the_database_says_the_first_time_and_the_second(butler):
    familiar, refs = Familiar(), [ref("post_isr", RAW), ref("bias", BIAS), ref("post_isr", replace(RAW, detector=0))]
    for _ in range(2):
        with butler._repository.reading() as connection:
            values, days = familiar.identify(connection, refs)
            assert values == identity_values(connection, refs)
        assert days == {RAW: 20260301, replace(RAW, detector=0): 20260301}


def test_the_second_time_only_the_exposures_are_asked_for(butler):
    familiar, asked = Familiar(), []
    with butler._repository.reading() as connection:
        familiar.identify(connection, [ref("post_isr", RAW), ref("bias", BIAS)])
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append(told[2]))
        familiar.identify(connection, [ref("bias", BIAS)])
        assert asked == []
        familiar.identify(connection, [ref("post_isr", RAW)])
    assert len(asked) == 1


def test_what_was_registered_since_is_found(butler, make_butler):
    other = make_butler()
    data_id, late = DataId("lupine", detector=1), DatasetType("late", ("instrument", "detector"), "json")
    with pytest.raises(UnknownName, match="late"):
        butler.put(1, "late", data_id, "late/run")
    other.register_dataset_type(late)
    with pytest.raises(UnknownName, match="late/run"):
        butler.put(1, "late", data_id, "late/run")
    other.register_collection("late/run", "RUN")
    assert butler.get(butler.put(1, "late", data_id, "late/run")) == 1


@pytest.mark.parametrize(
    ("data_id", "words"),
    [
        (replace(RAW, exposure=7), "has no exposure 7"),
        (replace(RAW, detector=99), "has no detector 99"),
        (replace(RAW, instrument="nowhere"), "nowhere"),
    ],
)
def test_what_nobody_registered_is_refused_by_name(butler, data_id, words):
    butler.put(1, "post_isr", RAW, RUN)
    with pytest.raises(UnknownName, match=words):
        butler.put(1, "post_isr", data_id, RUN)
    assert butler.recover().leftovers == ()
