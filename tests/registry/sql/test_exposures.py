"""Instruments, detectors, filters, exposures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.dimensions import DetectorRecord, ExposureRecord, FilterRecord, InstrumentRecord
from registry.errors import ConflictError, UnknownName
from registry.refs import DataId
from registry.sql import exposures
from registry.sql.keys import data_id_keys
from tests.registry.world import DETECTORS, FILTERS, LUPINE

RECORD = ExposureRecord(
    *("lupine", 20260301005, "L-5", 20260301, 5, "r", "science", "M 31", 1000, 2001, 30.0, 30.5, 10.68, 41.27),
    readout_mode={"binning": [1, 1], "speed": "slow"},
    attrs={"airmass": 1.2},
)


def test_an_instrument_comes_back_as_it_was_registered_and_again_is_no_change(world):
    with world.write() as connection:
        exposures.register_instrument(connection, LUPINE, DETECTORS, FILTERS)
        assert exposures.instruments(connection) == [LUPINE]
        assert exposures.detectors_of(connection, "lupine") == DETECTORS
        assert exposures.filters_of(connection, "lupine") == sorted(FILTERS)


def test_an_instrument_may_grow_but_not_change(world):
    more = [*DETECTORS, DetectorRecord("lupine", 3, "D3")]
    with world.write() as connection:
        exposures.register_instrument(connection, LUPINE, more, FILTERS)
        assert len(exposures.detectors_of(connection, "lupine")) == 4
    changed = [replace(DETECTORS[0], serial="X"), replace(DETECTORS[1], name="Y")]
    with (
        pytest.raises(ConflictError, match=r"(?s)detector 0: serial 'serial-0' -> 'X'.*detector 1: name 'D1' -> 'Y'"),
        world.write() as connection,
    ):
        exposures.register_instrument(connection, LUPINE, changed, [FilterRecord("lupine", "new")])
    with world.read() as connection:
        assert exposures.filters_of(connection, "lupine") == sorted(FILTERS)


def test_two_instruments_may_number_their_detectors_alike(world):
    fox = InstrumentRecord("fox", 0.0, "foxcam")
    with world.write() as connection:
        exposures.register_instrument(connection, fox, [DetectorRecord("fox", 0, "A")], [])
        ids = [DataId("fox", None, 0), DataId("lupine", None, 0)]
        keys = data_id_keys(connection, ids)
    assert keys[ids[0]] != keys[ids[1]]


def test_an_exposure_comes_back_as_it_went_in(world):
    bias = replace(RECORD, id=1, physical_filter=None, dark_time_s=None, ra_deg=None, dec_deg=None, readout_mode={})
    with world.write() as connection:
        assert exposures.insert_exposures(connection, [RECORD, bias]) == 2
        assert exposures.insert_exposures(connection, [RECORD, bias, RECORD]) == 0
        assert exposures.load_exposures(connection) == [bias, RECORD]
        assert exposures.exposures_by_number(connection, "lupine", [RECORD.id, 77]) == [RECORD]


def test_all_exposures_that_changed_are_listed_and_none_is_stored(world):
    other = replace(RECORD, id=6)
    with world.write() as connection:
        exposures.insert_exposures(connection, [RECORD, other])
    wrong = [replace(RECORD, object_name="M 33"), replace(other, readout_mode={"speed": "fast"}), replace(RECORD, id=7)]
    with (
        pytest.raises(ConflictError, match=r"(?s)exposure 6: readout_mode.*object_name 'M 31' -> 'M 33'") as caught,
        world.write() as connection,
    ):
        exposures.insert_exposures(connection, wrong)
    assert len(caught.value.conflicts) == 2
    with world.read() as connection:
        assert len(exposures.load_exposures(connection)) == 2


def test_an_exposure_given_twice_with_different_properties_is_refused(world):
    with pytest.raises(ConflictError, match="seq_num"), world.write() as connection:
        exposures.insert_exposures(connection, [RECORD, replace(RECORD, seq_num=9)])


def test_all_unknown_filters_are_named(world):
    records = [replace(RECORD, id=i, physical_filter=name) for i, name in enumerate(["u", "r", "y"])]
    with (
        pytest.raises(UnknownName, match="lupine has no physical filter 'u', 'y'; it has g, r"),
        world.write() as connection,
    ):
        exposures.insert_exposures(connection, records)


def test_an_unknown_instrument_offers_the_nearest(world):
    with pytest.raises(UnknownName, match="no instrument 'lupin'; did you mean 'lupine'"), world.write() as connection:
        exposures.insert_exposures(connection, [replace(RECORD, instrument="lupin")])


def test_all_unknown_parts_of_data_ids_are_named(world):
    ids = [DataId("lupine", 1, 0), DataId("lupine", 2, 0), DataId("lupine", None, 0)]
    with pytest.raises(UnknownName, match="lupine has no exposure 1, 2"), world.read() as connection:
        data_id_keys(connection, ids)
    with pytest.raises(UnknownName, match="lupine has no detector 9"), world.read() as connection:
        data_id_keys(connection, [DataId("lupine", None, 9)])


def test_equal_readout_modes_are_one_row(world):
    records = [replace(RECORD, id=i, readout_mode={"speed": speed}) for i, speed in enumerate(["slow", "fast", "slow"])]
    with world.write() as connection:
        exposures.insert_exposures(connection, records)
    assert world.sql("SELECT count(*) FROM readout_mode")[0][0] == 3  # "no mode" and two
