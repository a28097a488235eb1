"""Real tables of Rubin's cameras and DECam open as they are, with the numbers their makers put in.

They lie in the directory named by ISRFLOW_REALDATA, else in ``../shared/realdata``. The numbers are read off the files.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from isrflow.calibs.defects import Defects
from isrflow.calibs.files import read_calibration
from isrflow.errors import CalibrationFileError
from isrflow.frame.box import Box

ROOT = Path(os.environ.get("ISRFLOW_REALDATA", Path(__file__).parents[2].parent / "shared" / "realdata"))
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no real data: set ISRFLOW_REALDATA")


@pytest.mark.parametrize(
    ("name", "n", "units", "detector"),
    [
        ("lsstCam_r22_s11.ecsv", 16, "electron", (94, "R22_S11")),
        ("lsstCam_r22_s22.ecsv", 16, "electron", (98, "R22_S22")),
        ("lsstCam_r00_sw0.ecsv", 8, "electron", (191, "R00_SW0")),
        ("lsstCam_r00_sg0.ecsv", 16, "electron", (189, "R00_SG0")),
        ("comCam_r22_s11.ecsv", 16, "electron", (4, "R22_S11")),
        ("latiss_rxx_s00.ecsv", 16, "adu", (0, "RXX_S00")),
        ("decam_n10.yaml", 2, "adu", (41, "N10")),
        ("decam_n29.yaml", 2, "adu", (60, "N29")),
        ("decam_s6.yaml", 2, "adu", (30, "S6")),
    ],
)
def test_crosstalk_of_real_cameras_opens(name, n, units, detector) -> None:
    crosstalk = read_calibration("crosstalk", ROOT / "crosstalk" / name)
    assert crosstalk.coefficients.shape == (n, n)
    assert crosstalk.units == units
    assert (crosstalk.info.detector_id, crosstalk.info.detector_name) == detector


def test_crosstalk_is_not_transposed() -> None:
    lsst = read_calibration("crosstalk", ROOT / "crosstalk" / "lsstCam_r22_s11.ecsv")
    assert lsst.coefficients[0, 1] == pytest.approx(2.346e-4, abs=1e-7)
    assert lsst.coefficients[1, 0] == pytest.approx(2.031e-4, abs=1e-7)
    decam = read_calibration("crosstalk", ROOT / "crosstalk" / "decam_n10.yaml")
    np.testing.assert_array_equal(decam.coefficients, [[0, 0.000152], [0.000444, 0]])


def test_terms_between_detectors_are_kept() -> None:
    inter_chip = read_calibration("crosstalk", ROOT / "crosstalk" / "decam_n29.yaml").inter_chip
    assert inter_chip
    assert all(matrix.shape == (2, 2) for matrix in inter_chip.values())


def test_the_lookup_linearizer_of_decam_opens() -> None:
    linearizer = read_calibration("linearizer", ROOT / "linearizer" / "decam_n30.yaml")
    assert linearizer.amp_names == ("A", "B")
    assert set(linearizer.linearity_type.values()) == {"LookupTable"}
    assert linearizer.table.shape[0] == 2
    assert linearizer.boxes == {"A": Box(0, 0, 1024, 4096), "B": Box(1024, 0, 1024, 4096)}
    assert (linearizer.info.instrument, linearizer.info.detector_id) == ("DECam", 61)


@pytest.mark.parametrize(
    ("name", "instrument"),
    [
        ("comCam_manual_r22_s00.ecsv", "ComCam"),
        ("decam_n10_19700101T0000.ecsv", "decam"),
        ("decam_n10_20130115t0130.ecsv", "decam"),
        ("decam_s29_19700101T0000.ecsv", "decam"),
        ("latiss_19700101T000000.ecsv", "LATISS"),
        ("latiss_20180101T000000.ecsv", "LATISS"),
        ("obs_test_defects.ecsv", "test"),
    ],
)
def test_defects_of_real_cameras_open(name, instrument) -> None:
    assert read_calibration("defects", ROOT / "defects" / name).info.instrument == instrument


def test_the_504_defects_of_obs_test_are_the_same_as_boxes_and_as_regions() -> None:
    boxes = read_calibration("defects", ROOT / "defects" / "obs_test_defects.ecsv").boxes
    regions = read_calibration("defects", ROOT / "defects" / "obs_test_defects_region.fits").boxes
    assert len(boxes) == 504
    assert sum(box.area for box in boxes) == 1364
    assert Box(848, 1000, 1, 861) in boxes
    assert set(boxes) == set(regions)


def test_regions_that_are_no_upright_boxes_are_left_out_and_named(caplog) -> None:
    path = ROOT / "defects" / "fits_region.fits"
    with pytest.raises(CalibrationFileError, match="DATASUM"):  # it was edited by hand after its checksum was taken
        read_calibration("defects", path)
    with fits.open(path) as hdus:
        defects = Defects.from_hdus(hdus)
        shapes = [str(shape).upper() for shape in hdus[1].data["SHAPE"]]
        upright = [angle % 90 == 0 for angle in hdus[1].data["ROTANG"]]
    kept = [s in ("BOX", "POINT") or (s == "ROTBOX" and u) for s, u in zip(shapes, upright, strict=True)]
    assert len(defects.boxes) == sum(kept)
    assert "row 0 (CIRCLE)" in caplog.text


def test_a_master_bias_of_the_reference_opens_compressed_as_it_is() -> None:
    bias = read_calibration("bias", ROOT / "raw_headers_only" / "bias-R11-S20-det042_2022-01-01.fits")
    assert bias.exposure.image.shape == (4000, 4072)
    assert [plane.dtype for plane in bias.exposure.planes()] == [np.float32, np.int32, np.float32]
    assert (bias.info.detector_name, bias.info.detector_serial) == ("R11_S20", "ITL-3800C-102-Dev")
    assert bias.info.physical_filter is None
