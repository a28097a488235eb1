"""Dataset rows and dataset types."""

from __future__ import annotations

from uuid import UUID

import pytest

from registry.dimensions import DetectorRecord
from registry.errors import AmbiguousId, ConflictError, UnknownName
from registry.refs import DataId, DatasetRef, DatasetType, dataset_uuid
from registry.sql.collections import flatten, register_collection, tag
from registry.sql.dataset_types import dataset_types, register_dataset_types
from registry.sql.datasets import find_first, insert_datasets, load_refs, ref_by_text, refs_by_uuid, set_status
from registry.sql.exposures import register_instrument
from tests.registry.world import LUPINE, TYPES


def test_datasets_come_back_as_they_went_in_files_and_all(world):
    data_id = DataId("lupine", None, 0, "r")
    plain = DatasetRef(dataset_uuid("run/1", "flat", data_id), "flat", "run/1", data_id, "aa", "bb", 7, "flat/0.fits")
    left = DataId("lupine", None, 1, "r")
    direct = DatasetRef(dataset_uuid("run/1", "flat", left), "flat", "run/1", left, "aa", "bb", 7, "/data/0.fits")
    camera = DatasetRef(dataset_uuid("run/1", "camera", DataId("lupine")), "camera", "run/1", DataId("lupine"))
    with world.write() as connection:
        register_collection(connection, "run/1", "RUN")
        insert_datasets(connection, [plain, direct, camera])
        assert load_refs(connection) == [plain, direct, camera]
        assert refs_by_uuid(connection, [camera.id, UUID(int=5)]) == {camera.id: camera}


def test_all_datasets_that_are_there_already_are_listed(world):
    refs = [world.calib("run/1", detector=i) for i in range(2)]
    with (
        pytest.raises(ConflictError, match=rf"(?s)nothing was stored.*{refs[0].short}.*{refs[1].short}"),
        world.write() as connection,
    ):
        insert_datasets(connection, refs)


def test_two_files_in_the_datastore_never_share_a_path(world):
    def ref(detector: int, path: str) -> DatasetRef:
        data_id = DataId("lupine", None, detector)
        return DatasetRef(dataset_uuid("run/1", "bias", data_id), "bias", "run/1", data_id, "a", "b", 1, path)

    with world.write() as connection:
        register_collection(connection, "run/1", "RUN")
        insert_datasets(
            connection, [ref(0, "/in/place.fits"), ref(1, "/in/place.fits")]
        )  # several in one file are fine
        insert_datasets(connection, [ref(2, "same.fits")])
    data_id = DataId("lupine", None, 3)
    one = DatasetRef(dataset_uuid("run/1", "bias", data_id), "bias", "run/1", data_id, "a", "b", 1, "same.fits")
    with world.write() as connection:
        register_instrument(connection, LUPINE, [DetectorRecord("lupine", 3, "D3")], [])
    with pytest.raises(ConflictError, match=r"UNIQUE constraint failed: .*artifact.path"), world.write() as connection:
        insert_datasets(connection, [one])


def test_a_dataset_is_found_by_the_beginning_of_its_id(world):
    ref = world.calib("run/1")
    with world.read() as connection:
        for text in (ref.short, ref.id.hex[:5], str(ref.id), str(ref.id).upper(), ref.id.hex):
            assert ref_by_text(connection, text) == ref
        with pytest.raises(UnknownName, match="no dataset has an id that begins with 00000000"):
            ref_by_text(connection, "00000000")
        for text in ("abc", "night", "", "abcd" * 9):
            with pytest.raises(UnknownName, match="is not a dataset id: give at least 4"):
                ref_by_text(connection, text)


def test_an_id_that_several_share_lists_them(world):
    with world.write() as connection:
        register_collection(connection, "run/1", "RUN")
        same = [DatasetRef(UUID(f"abcdef00{i:024x}"), "bias", "run/1", DataId("lupine", None, i)) for i in range(2)]
        insert_datasets(connection, same)
        with pytest.raises(AmbiguousId, match="2 datasets have an id that begins with abcdef00") as caught:
            ref_by_text(connection, "abcdef00")
    assert len(caught.value.matches) == 2


def test_the_first_collection_that_has_it_gives_the_dataset(world):
    first, second, tagged = (world.calib(f"run/{i}") for i in range(3))
    other = world.calib("run/1", detector=1)
    with world.write() as connection:
        tag(connection, "best", [tagged])
        ids = [DataId("lupine", None, i) for i in range(3)]

        def found(*path: str):
            hits = find_first(connection, "bias", ids, flatten(connection, path))
            return {data_id.detector: (ref, home) for data_id, (ref, home) in hits.items()}

        assert found("run/0", "run/1") == {0: (first, "run/0"), 1: (other, "run/1")}
        assert found("best", "run/0") == {0: (tagged, "best")}
        assert found("run/1") == {0: (second, "run/1"), 1: (other, "run/1")}
        set_status(connection, [first.id], "MISSING")
        assert found("run/0", "run/1")[0] == (second, "run/1")


def test_dataset_types_come_back_and_may_not_change(world):
    with world.write() as connection:
        register_dataset_types(connection, TYPES)
        by_name = sorted(TYPES, key=lambda one: one.name)
        assert [row.type for row in dataset_types(connection).values()] == by_name
        changed = DatasetType("bias", ("instrument",), "fits", is_calibration=True)
        with pytest.raises(ConflictError, match="already registered with other properties"):
            register_dataset_types(connection, [changed])
        shuffled = DatasetType("bias", ("detector", "instrument"), "fits", is_calibration=True)
        register_dataset_types(connection, [shuffled])


def test_unknown_types_and_runs_are_refused(world):
    ref = DatasetRef(UUID(int=1), "bais", "run/1", DataId("lupine", None, 0))
    with pytest.raises(UnknownName, match="no dataset type 'bais'; did you mean 'bias'"), world.write() as connection:
        insert_datasets(connection, [ref])
    with pytest.raises(UnknownName, match="no collection 'run/1'"), world.write() as connection:
        insert_datasets(connection, [DatasetRef(UUID(int=1), "bias", "run/1", DataId("lupine", None, 0))])
