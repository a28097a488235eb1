"""Paths are readable and cannot collide or leave the store."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from registry.datastore.base import checked, is_temporary, temporary_name
from registry.datastore.paths import dataset_path
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
