"""Files written by the reference's own code open as they are, and ours have the same form.

The files and what they hold lie in the directory named by ISRFLOW_LSST_FILES, else in ``../shared/lsst-files``.
"""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.calibs.compare import differences
from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.frame.cards import is_structural
from isrflow.frame.fits import content_sha256, read_exposure, write_exposure
from isrflow.frame.mask import remap_mask
from tests.vectors.files_summary import NOT_COVERED
from tests.vectors.reference_files import KIND_OF, ROOT, contents, decode, expectations, expected_fields, field_of

EXPECTED = expectations()
needs_files = pytest.mark.skipif(not EXPECTED, reason="no files of the reference: set ISRFLOW_LSST_FILES")


@pytest.fixture
def stated(name, record_property):
    record_property("reference_file", name)
    if EXPECTED[name]["class"] not in KIND_OF:
        pytest.skip(f"{NOT_COVERED}{EXPECTED[name]['class']}")
    return EXPECTED[name]


@needs_files
@pytest.mark.parametrize("name", list(EXPECTED) or ["none"])
def test_a_file_of_the_reference_gives_the_values_its_own_reader_gets(name, stated) -> None:
    kind = KIND_OF[stated["class"]]
    if kind == "exposure":
        check_exposure(ROOT / name, stated)
        return
    calibration = read_calibration(kind, ROOT / name)
    if kind.startswith("transmission_"):
        check_curve(calibration, stated)
        return
    wrong = {
        field: differences(field_of(calibration, field), value, field)
        for field, value in expected_fields(kind, stated).items()
    }
    assert not [problem for problems in wrong.values() for problem in problems]


@needs_files
@pytest.mark.parametrize("name", [name for name in EXPECTED if "exposure" not in name] or ["none"])
def test_written_again_a_file_has_the_columns_cards_and_values_it_had(name, stated, tmp_path) -> None:
    calibration = read_calibration(KIND_OF[stated["class"]], ROOT / name)
    written = tmp_path / name
    digest = write_calibration(calibration, written)
    assert digest == content_sha256(written)
    was, now = contents(ROOT / name), contents(written)
    if len(was.get("x0", [1])) == 0:
        now = {key: value for key, value in now.items() if "TFORM" not in key}  # the reference's has columns of doubles
        was = {key: value for key, value in was.items() if "TFORM" not in key}
    metadata, ours = was.pop("metadata"), now.pop("metadata")
    assert not differences(was, {key: value for key, value in now.items() if key in was})
    assert not differences(metadata, {key: value for key, value in ours.items() if key in metadata})
    assert read_calibration(KIND_OF[stated["class"]], written) == calibration


@needs_files
@pytest.mark.parametrize("name", [name for name in EXPECTED if "exposure" in name] or ["none"])
def test_an_exposure_of_the_reference_survives_being_written_by_us(name, stated, tmp_path) -> None:
    exposure = read_exposure(ROOT / name)
    write_exposure(exposure, tmp_path / "again.fits")
    again = read_exposure(tmp_path / "again.fits")
    assert not differences(
        (exposure.image, exposure.mask, exposure.variance), (again.image, again.mask, again.variance)
    )
    assert (again.xy0, again.unit, again.obs) == (exposure.xy0, exposure.unit, exposure.obs)
    assert not differences({k: again.header[k] for k in exposure.header}, exposure.header)


def check_curve(calibration, stated) -> None:
    curve, truth = calibration.curve, stated["sampled"]
    assert curve.wavelength_bounds == tuple(truth["wavelengthBounds"])
    assert curve.throughput_at_bounds == tuple(truth["throughputAtBounds"])
    for sample in truth["sampleAt"]:
        sampled = curve.sample_at(sample["point"], decode(sample["wavelengths"]))
        # between two wavelengths the order of the arithmetic shows, most where the throughput is nearly 0
        np.testing.assert_allclose(sampled, decode(sample["throughput"]), rtol=1e-12, atol=1e-15)
    metadata, info = stated.get("metadata_read_back", {}), calibration.info
    if metadata:
        stated_by_file = [metadata[card] or "" for card in ("INSTRUME", "DET_NAME", "DET_SER", "DETECTOR", "FILTER")]
        ours = [info.instrument, info.detector_name, info.detector_serial, info.detector_id, info.physical_filter or ""]
        assert ours == stated_by_file


def check_exposure(path, stated) -> None:
    exposure = read_exposure(path)
    truth = stated["read_back"]
    x0, y0, width, height = stated["bbox"]
    assert (*exposure.xy0, *exposure.image.shape[::-1]) == (x0, y0, width, height)
    planes = truth.get("mask_planes") or stated["mask_planes_in_memory"]
    mask = remap_mask(decode(truth["mask"]), planes)
    assert np.array_equal(exposure.mask, mask)
    is_lossy = "rice" in path.name
    # the reference's reader turns infinities into NaN, so lossless files are compared with what was written
    pixels = truth if is_lossy else stated["in_memory"]
    for plane in ("image", "variance"):
        # quantised tiles are decoded as scale * integer + zero, in double by one library and in float by the other
        np.testing.assert_allclose(getattr(exposure, plane), decode(pixels[plane]), rtol=2e-6 if is_lossy else 0)
    for card, value in truth.get("metadata", {}).items():
        if not is_structural(card):  # the reference lets some layout cards through
            assert not differences(exposure.header[card], decode(value), card)
    visit = stated["written"].get("visitInfo")
    if visit:
        obs = exposure.obs
        assert (obs.exposure_time_s, obs.dark_time_s) == (visit["exposureTime"], visit["darkTime"])
        assert [obs.ra_deg, obs.dec_deg] == visit["boresightRaDec_deg"]
        assert (obs.instrument, obs.exposure_id) == (visit["instrumentLabel"], visit["id"])
        middle_days = (obs.begin_tai_ns + obs.end_tai_ns) / 2 / 86400e9 + 40587  # MJD of 1970-01-01
        assert middle_days == pytest.approx(visit["date_mjd_tai"], abs=1e-9)
