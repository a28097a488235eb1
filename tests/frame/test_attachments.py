"""Valid polygons and transmission curves in files, and along with pixels that move."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.errors import RawFileError
from isrflow.frame.archive import curve_to_hdus, read_archive
from isrflow.frame.box import Box
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import content_sha256, exposure_from_hdus, exposure_to_hdus, read_exposure, write_exposure
from isrflow.frame.polygon import Polygon
from isrflow.frame.transmission import TransmissionCurve
from isrflow.steps.assembly import AssemblyConfig, assemble
from isrflow.steps.binned import bin_exposure
from tests.steps.tinyraw import raw, tiny_detector
from tests.vectors.reference_files import ROOT

AIR = TransmissionCurve.constant([3000.0, 1e4 / 3, 9000.0], [0.1, 1 / 3, 0.7], below=0.05)
LENS = TransmissionCurve.radial([3000.0, 9000.0], [0.0, 1 / 7, 5.0], [[0.9, 0.8, 0.5], [0.95, 0.9, 0.7]], above=1e-300)
TURN = np.array([[0.01, -1 / 3, 2.0], [1 / 3, 0.01, -1e-17]])
TRIANGLE = Polygon(np.array([[0.1, 0.2], [5 + 1 / 3, 0.0], [-0.5, 1e-300]]))


def picture(**more) -> Exposure:
    return Exposure(
        np.ones((4, 6), np.float32), np.zeros((4, 6), np.int32), np.ones((4, 6), np.float32), xy0=(3, 2), **more
    )


@pytest.mark.parametrize("polygon", [None, TRIANGLE, Polygon.empty()])
@pytest.mark.parametrize("curve", [None, TransmissionCurve(), AIR, AIR * LENS.seen_from(TURN) * LENS])
def test_both_come_back_exactly(polygon, curve, tmp_path) -> None:
    path = tmp_path / "e.fits"
    digest = write_exposure(picture(valid_polygon=polygon, transmission=curve), path)
    again = read_exposure(path)
    assert again.valid_polygon == polygon
    assert again.transmission == curve
    assert digest == content_sha256(path)
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        tables = [hdu.name for hdu in hdus[4:]]
    assert tables == ["VALID_POLYGON"] * (polygon is not None) + ["TRANSMISSION"] * (curve is not None)


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6)), st.floats(0, 1), st.floats(0, 1))
def test_any_number_comes_back_exactly(vertices, low, high) -> None:
    curve = TransmissionCurve.constant([4000.0, 5000.0], [low, high], below=high, above=low)
    polygon = Polygon(vertices)
    again = exposure_from_hdus(exposure_to_hdus(picture(valid_polygon=polygon, transmission=curve)))
    assert again.valid_polygon == polygon
    assert again.transmission == curve


def test_tables_say_what_is_in_them(tmp_path) -> None:
    write_exposure(picture(valid_polygon=TRIANGLE, transmission=AIR * LENS), tmp_path / "e.fits")
    with fits.open(tmp_path / "e.fits") as hdus:
        assert hdus["VALID_POLYGON"].data["X"].tolist() == TRIANGLE.vertices[:, 0].tolist()
        curve = hdus["TRANSMISSION"]
        assert curve.columns["WAVELENGTH"].unit == "Angstrom"
        assert curve.data["FACTOR"].tolist() == [1] * 3 + [2] * 6
        assert curve.data["RADIUS"][3:6].tolist() == [0.0, 1 / 7, 5.0]
        assert curve.header["T1BELOW"] == 0.05


def test_a_polygon_or_curve_is_part_of_the_content(tmp_path) -> None:
    written = [
        write_exposure(picture(**more), tmp_path / "e.fits")
        for more in ({}, {"valid_polygon": TRIANGLE}, {"transmission": AIR}, {"transmission": LENS})
    ]
    assert len(set(written)) == 4


def test_a_table_that_says_something_else_is_refused(tmp_path) -> None:
    hdus = exposure_to_hdus(picture(valid_polygon=TRIANGLE, transmission=AIR))
    hdus["TRANSMISSION"].header.remove("T1ABOVE")
    with pytest.raises(RawFileError, match="TRANSMISSION cannot be understood"):
        exposure_from_hdus(hdus)


def test_archives_of_the_reference_hold_products() -> None:
    for curve in (AIR, LENS, AIR * LENS, AIR * LENS * AIR, AIR * AIR * AIR * LENS):
        archive = read_archive(fits.HDUList([fits.PrimaryHDU(), *curve_to_hdus(curve)]))
        assert archive.curve(archive.root) == curve
        assert archive.root == 1
    for wrong in (TransmissionCurve(), LENS.seen_from(TURN)):
        with pytest.raises(ValueError, match="does not fit into an archive"):
            curve_to_hdus(wrong)


def test_the_reference_s_own_exposure_has_both() -> None:
    path = ROOT / "exposure_full_default.fits"
    if not path.is_file():
        pytest.skip("no files of the reference: set ISRFLOW_LSST_FILES")
    exposure = read_exposure(path)
    assert exposure.valid_polygon == Polygon(np.array([[1, 1], [1, 25.5], [30.25, 28], [35, 2]]))
    assert exposure.transmission == TransmissionCurve.constant([3e3, 5e3, 7e3, 1.1e4], [0, 0.5, 0.9, 0.1])


def test_copies_and_views_keep_both_in_the_same_coordinates() -> None:
    exposure = picture(valid_polygon=TRIANGLE, transmission=LENS)
    for other in (exposure.copy(), exposure.view(Box(4, 3, 2, 2))):
        assert other.valid_polygon is TRIANGLE
        assert other.transmission is LENS


def test_binning_takes_both_along() -> None:
    exposure = picture(valid_polygon=Polygon.of_box(Box(3, 2, 4, 2)), transmission=LENS)
    binned = bin_exposure(exposure, 2)  # the origin stays (3, 2), now of pixels twice as large
    assert binned.valid_polygon == Polygon.of_box(Box(3, 2, 2, 1))
    # the first binned pixel covers pixels 3 and 4, 2 and 3: its centre is (3.5, 2.5)
    at = [3000.0, 5000.0]
    np.testing.assert_allclose(
        binned.transmission.sample_at([[3, 2], [4, 3]], at), LENS.sample_at([[3.5, 2.5], [5.5, 4.5]], at), rtol=1e-14
    )


def test_assembly_takes_both_along_if_all_amplifiers_move_alike() -> None:
    amp = tiny_detector().amplifiers[0].model_copy(update={"raw_flip_x": False})
    alone = tiny_detector().model_copy(update={"amplifiers": (amp,), "box": amp.box})
    exposure = raw()
    exposure.detector = alone
    exposure.valid_polygon, exposure.transmission = Polygon.of_box(amp.raw_data), LENS
    dx, dy = amp.box.x0 - amp.raw_data.x0, amp.box.y0 - amp.raw_data.y0
    assemble(exposure, AssemblyConfig())
    assert exposure.valid_polygon == Polygon.of_box(amp.box)
    np.testing.assert_allclose(
        exposure.transmission.sample_at([2, 1], 4000.0), LENS.sample_at([2 - dx, 1 - dy], 4000.0), rtol=1e-14
    )


def test_assembly_of_amplifiers_that_move_apart_gives_them_up() -> None:
    exposure = raw()
    exposure.valid_polygon, exposure.transmission = TRIANGLE, LENS
    assemble(exposure, AssemblyConfig())
    assert exposure.valid_polygon is None
    assert exposure.transmission is None


def test_an_archive_that_cannot_be_read_costs_the_attachments_alone(caplog) -> None:
    hdus = exposure_to_hdus(picture())
    for hdu in curve_to_hdus(AIR * LENS):
        hdus.append(hdu)
    hdus[0].header["HIERARCH ARCHIVE_ID_TRANSMISSION_CURVE"] = 1
    assert exposure_from_hdus(hdus).transmission == AIR * LENS
    product = next(hdu for hdu in hdus if "a" in getattr(hdu, "columns", fits.ColDefs([])).names)
    product.data["a"] = 1  # a product of itself
    assert exposure_from_hdus(hdus).transmission is None
    assert "the archive cannot be read" in caplog.text
    product.data["a"] = 99  # nothing of that number
    assert exposure_from_hdus(hdus).transmission is None


def test_curves_of_other_classes_are_left_out_with_a_warning(caplog) -> None:
    hdus = exposure_to_hdus(picture())
    index, *data = curve_to_hdus(AIR)
    index.data["name"] = "TransformedTransmissionCurve"
    for hdu in (index, *data):
        hdus.append(hdu)
    hdus[0].header["HIERARCH ARCHIVE_ID_TRANSMISSION_CURVE"] = 1
    assert exposure_from_hdus(hdus).transmission is None
    assert "of class TransformedTransmissionCurve cannot be read" in caplog.text
