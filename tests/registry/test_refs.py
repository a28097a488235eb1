"""The words: ids that are the same on every machine, values that sort, print and pickle."""

from __future__ import annotations

import pickle
import random
from uuid import UUID

import pytest

from registry import errors
from registry.canonical import canonical_json, sha256_json
from registry.dimensions import ExposureRecord
from registry.errors import AmbiguousId, QuerySyntaxError, RegistryError, TransferError, UnknownName, VersionError
from registry.refs import DataId, DatasetRef, DatasetType, Software, dataset_uuid, quantum_uuid


def test_a_dataset_id_depends_on_run_type_and_data_id_alone():
    data_id = DataId("lupine", 20260301005, 2)
    # Fixed for ever: repositories are full of ids made this way.
    assert dataset_uuid("calibs/1", "bias", DataId("lupine", None, 0)) == UUID("9b3ec072-75a0-57c6-92cf-73bc32e96212")
    assert dataset_uuid("a", "raw", data_id) == dataset_uuid("a", "raw", DataId("lupine", 20260301005, 2))
    ids = {
        dataset_uuid("a", "raw", data_id),
        dataset_uuid("b", "raw", data_id),
        dataset_uuid("a", "bias", data_id),
        dataset_uuid("a", "raw", data_id.subset(("detector",))),
        quantum_uuid("a", "raw", data_id),
    }
    assert len(ids) == 5


def test_a_data_id_prints_what_applies_and_sorts_with_what_does_not():
    ids = [DataId("lupine", 5, 2), DataId("lupine", 5), DataId("lupine", None, 1, "r"), DataId("fox", 9, 9)]
    shuffled = random.Random(1).sample(ids, k=4)
    assert sorted(shuffled) == [ids[3], ids[2], ids[1], ids[0]]
    assert [str(one) for one in ids] == [
        "lupine exposure=5 detector=2",
        "lupine exposure=5",
        "lupine detector=1 filter=r",
        "fox exposure=9 detector=9",
    ]
    assert ids[2].dimensions == ("instrument", "detector", "physical_filter")
    assert ids[2].to_dict() == {"instrument": "lupine", "detector": 1, "physical_filter": "r"}


def test_detector_zero_is_a_detector():
    assert DataId("lupine", None, 0).dimensions == ("instrument", "detector")


def test_a_ref_prints_with_the_short_id_that_people_type():
    data_id = DataId("lupine", None, 2)
    ref = DatasetRef(UUID("1a2b3c4d" + 24 * "0"), "bias", "calibs/20260301", data_id)
    assert str(ref) == "bias 1a2b3c4d lupine detector=2 (run calibs/20260301)"


def test_a_dataset_type_knows_only_the_dimensions_there_are():
    with pytest.raises(ValueError, match=r"unknown dimensions \['tract'\]; there is instrument, detector"):
        DatasetType("coadd", ("instrument", "tract"), "fits")


def test_an_exposure_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends before it begins"):
        ExposureRecord("lupine", 1, "o", 20260301, 1, None, "bias", "", 10, 9, 0.0)
    assert ExposureRecord("lupine", 1, "o", 20260301, 1, None, "bias", "", 10, 10, 0.0).mid_ns == 10


def test_equal_values_have_one_spelling_and_what_has_none_is_refused():
    assert canonical_json({"b": [1, 2.5, None], "a": "ä"}) == '{"a":"ä","b":[1,2.5,null]}'
    assert sha256_json({"x": 1, "y": 2}) == sha256_json({"y": 2, "x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
    with pytest.raises(TypeError, match="no canonical JSON"):
        canonical_json({1, 2})


def test_software_is_hashed_by_its_content():
    one = Software({"numpy": "2.1", "astropy": "7.0"}, python="3.11.7", platform="linux")
    assert one.sha256 == Software({"astropy": "7.0", "numpy": "2.1"}, python="3.11.7", platform="linux").sha256
    assert one.sha256 != Software({"astropy": "7.1", "numpy": "2.1"}, python="3.11.7", platform="linux").sha256


EVERY_ERROR = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RegistryError)]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_survives_the_way_between_processes(kind):
    error = pickle.loads(pickle.dumps(kind("it broke", fix="isrflow recover")))
    assert type(error) is kind
    assert str(error) == "it broke\n  fix: isrflow recover"
    assert kind.__name__ in (errors.__doc__ or "") or kind is RegistryError


def test_errors_keep_their_fields_on_the_way():
    error = pickle.loads(pickle.dumps(QuerySyntaxError("no", text="a = ", column=5, expected=["number"])))
    assert (error.text, error.column, error.expected) == ("a = ", 5, ["number"])
    assert isinstance(error, ValueError)
    assert isinstance(pickle.loads(pickle.dumps(TransferError("gone", path="/x"))), OSError)
    assert VersionError("old", found="1", expected="2").exit_code == 4
    assert AmbiguousId("two", text="1a", matches=[1, 2]).matches == [1, 2]


def test_an_unknown_name_offers_the_nearest():
    assert str(UnknownName(kind="dataset type", name="bais", known=["bias", "dark"])) == (
        "there is no dataset type 'bais'; did you mean 'bias'?"
    )
    assert str(UnknownName(kind="run", name="zzz", known=["a", "b"])) == "there is no run 'zzz'; there is a, b"
