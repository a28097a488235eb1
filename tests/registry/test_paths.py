"""Paths are readable and cannot collide or leave the store."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.datastore.base import checked, is_temporary, temporary_name
from registry.datastore.paths import dataset_path
from registry.dimensions import FilterRecord, InstrumentRecord
from registry.errors import UserError
from registry.names import wrong_with
from registry.refs import DataId

ID = UUID("1a2b3c4d-0000-5000-8000-000000000000")


def test_a_product_is_filed_by_run_type_and_day():
    path = dataset_path(
        id=ID,
        type="post_isr",
        run="nights/20260301",
        data_id=DataId("lupine", 20260301005, 2),
        day_obs=20260301,
        extension=".fits",
    )
    assert path == "nights/20260301/post_isr/20260301/post_isr_lupine_20260301005_2_1a2b3c4d.fits"


def test_a_master_without_exposure_stands_under_an_underscore():
    data_id = DataId("lupine", detector=2, physical_filter="r/SDSS v2")
    path = dataset_path(id=ID, type="flat", run="calibs/1", data_id=data_id, day_obs=None, extension=".fits")
    assert path == "calibs/1/flat/_/flat_lupine_2_r-SDSS-v2_1a2b3c4d.fits"


def test_raws_are_filed_by_instrument():
    data_id = DataId("lupine", 7, 0)
    path = dataset_path(id=ID, type="raw", run="lupine/raw", data_id=data_id, day_obs=20260301, extension=".fits.gz")
    assert path == "raw/lupine/20260301/raw_lupine_7_0_1a2b3c4d.fits.gz"


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_no_name_can_lead_out_of_the_store(run, instrument, physical_filter):
    data_id = DataId(instrument, 1, 2, physical_filter)
    path = dataset_path(id=ID, type="flat", run=run, data_id=data_id, day_obs=None, extension=".fits")
    assert str(checked(path)) == path
    assert not any(part.startswith(".") for part in path.split("/"))
    assert is_temporary(temporary_name(path, "1"))
    assert path.isascii()
    assert path.endswith("_1a2b3c4d.fits")
    assert all(len(part) <= 255 for part in temporary_name(path, "0123abcd").split("/")), "file systems take no more"


@pytest.mark.parametrize("long", ["x" * 300, "ä" * 300, "a/" * 150])
def test_names_that_are_too_long_for_a_file_system_are_cut_and_stay_unique(long):
    data_id = DataId(long, 20260301005, 2, long)
    path = dataset_path(id=ID, type="flat", run=long, data_id=data_id, day_obs=None, extension=".fits")
    assert path.endswith("_1a2b3c4d.fits")
    assert all(len(part) <= 255 for part in temporary_name(path, "0123abcd").split("/"))


HOSTILE = {
    "": "it is empty",
    " r": "it has blanks around it",
    "r\x00": "cannot be printed",
    "r\n": "cannot be printed",
    "\u202er": "cannot be printed",
    "u\u0308": "composed in another way",
    "x" * 101: "it has 101 characters, 100 are allowed",
    "../../etc/passwd": "a path that leads elsewhere",
    "/etc/passwd": "a path that leads elsewhere",
    "\udc80": "cannot be printed",
}


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_a_name_nobody_could_type_or_trust_is_said_to_be_wrong(name):
    assert any(HOSTILE[name] in reason for reason in wrong_with(name))


@pytest.mark.parametrize("name", ["r", "r/SDSS v2", "H\u03b1", "z'", "Filter 3 (new)", "..."])
def test_names_that_observatories_use_are_taken(name):
    assert wrong_with(name) == []


def test_all_offenders_are_named_and_nothing_is_stored(butler):
    filters = [FilterRecord("nova", name, "r") for name in ("r", *HOSTILE)]
    with pytest.raises(UserError, match=r"10 name\(s\) cannot be that of a filter; nothing was stored") as refused:
        butler.register_instrument(InstrumentRecord("nova"), [], filters)
    assert all(repr(name)[:50] in str(refused.value) for name in HOSTILE)
    with pytest.raises(UserError, match="cannot be that of an instrument"):
        butler.register_instrument(InstrumentRecord("../nova"), [], [])
    assert [one.name for one in butler.instruments()] == ["lupine"]
