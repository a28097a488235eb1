"""Exposures as files: what astropy reads, what comes back, what counts as identical."""

from __future__ import annotations

import gzip
import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.errors import HeaderError, RawFileError
from isrflow.frame.camera import Amplifier, Camera, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import content_sha256, content_sha256_of, exposure_to_hdus, read_exposure, write_exposure
from isrflow.frame.history import HistoryEntry
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.frame.obs import Observation

OBS = Observation(
    instrument="lupine",
    exposure_id=20260301005,
    obs_id="LP_20260301_005",
    day_obs=20260301,
    seq_num=5,
    obs_type="science",
    object_name="M 31",
    physical_filter="r_1",
    band="r",
    exposure_time_s=30.0,
    dark_time_s=30.5,
    begin_tai_ns=1_772_400_000_123_456_789,
    end_tai_ns=1_772_400_030_123_456_789,
    ra_deg=10.684708,
    dec_deg=41.26875,
    readout_mode={"binning": [1, 1], "gain": "high"},
)


def an_exposure(**changes) -> Exposure:
    rng = np.random.default_rng(3)
    image = rng.normal(1000, 10, (5, 7)).astype(np.float32)
    image[0, :3] = np.nan, np.inf, -0.0
    mask = rng.integers(0, 1 << 14, (5, 7), np.int32)
    variance = rng.gamma(3, 100, (5, 7)).astype(np.float32)
    exposure = Exposure(image, mask, variance, unit="electron", xy0=(3, -4), obs=OBS)
    exposure.header = {
        "LSST ISR GAIN C00": 1.7,
        "LSST ISR OVERSCAN SERIAL MEDIAN C00": 1.2345678901234567e-05,
        "LSST ISR LEVEL C00": math.nan,
        "LSST ISR PTCTURNOFF C00": math.inf,
        "LSST ISR BOOTSTRAP": False,
        "PROGRAM": "it's a test",
        "NOTHING": None,
        "LONGSTRN_": "x" * 150,
        "COUNT": 12,
        "LSST ISR AMP lower case": -5e-300,
        "HISTORY": ["made by hand"],
    }
    exposure.history = [
        HistoryEntry("overscan", 0.25, {"fit_kind": "MEDIAN", "order": 3}),
        HistoryEntry("bias", 0.5, {}, {"bias": "1a2b3c4d-0000-0000-0000-000000000000"}),
        HistoryEntry("statistics", 1.5, {"planes": ["BAD  SAT"] * 20, "clip": math.nan}, {"flat": "f", "dark": "d"}),
    ]
    return replace(exposure, **changes)


def test_astropy_finds_planes_names_checksums_and_origin(tmp_path) -> None:
    exposure = an_exposure()
    write_exposure(exposure, tmp_path / "e.fits")
    with fits.open(tmp_path / "e.fits", checksum=True) as hdus:  # a wrong checksum warns, and warnings are errors
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE"]
        assert [hdu.header.get("EXTTYPE") for hdu in hdus[1:]] == ["IMAGE", "MASK", "VARIANCE"]
        assert [hdu.header.get("BITPIX") for hdu in hdus[1:]] == [-32, 32, -32]
        np.testing.assert_array_equal(hdus["IMAGE"].data, exposure.image)
        saturated = hdus["MASK"].data & (1 << hdus["MASK"].header["MP_SAT"])
        np.testing.assert_array_equal(saturated != 0, exposure.mask & mask_bits("SAT") != 0)
        image = hdus["IMAGE"].header
        assert (image["CRVAL1A"], image["CRVAL2A"], image["LTV1"], image["LTV2"]) == (3.0, -4.0, -3.0, 4.0)
        assert (image["BUNIT"], hdus["VARIANCE"].header["BUNIT"]) == ("electron", "electron**2")
        primary = hdus[0].header
        assert primary["LSST ISR GAIN C00"] == 1.7
        assert primary["LSST ISR LEVEL C00"] == "NAN"
        assert primary["LSST ISR PTCTURNOFF C00"] == "+INFINITY"
        assert primary["DATE-AVG"] == "2026-03-01T21:20:15.123456789"
        assert (primary["TIMESYS"], primary["EXPTIME"], primary["BORE-RA"]) == ("TAI", 30.0, 10.684708)


def test_what_is_written_comes_back_to_the_last_bit(tmp_path) -> None:
    exposure = an_exposure()
    write_exposure(exposure, tmp_path / "e.fits")
    again = read_exposure(tmp_path / "e.fits")
    for plane in ("image", "mask", "variance"):
        assert getattr(again, plane).tobytes() == getattr(exposure, plane).tobytes()
        assert getattr(again, plane).dtype == getattr(exposure, plane).dtype
    assert (again.obs, again.unit, again.xy0) == (exposure.obs, exposure.unit, exposure.xy0)
    assert repr({key: again.header[key] for key in exposure.header}) == repr(exposure.header)
    assert repr(again.history) == repr(exposure.history)


@settings(max_examples=25, deadline=None)
@given(
    image=arrays(np.float32, (3, 5)),
    mask=arrays(np.int32, (3, 5), elements=st.integers(0, 2**14 - 1)),
    cards=st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_ ]{0,30}[A-Z0-9]", fullmatch=True).map(lambda key: f"LSST {key}"),
        st.one_of(
            st.integers(-(2**53), 2**53),
            st.floats(allow_nan=False, allow_infinity=False),
            st.booleans(),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=90),
        ),
        max_size=5,
    ),
)
def test_any_pixels_and_cards_survive_and_hash_the_same_in_memory_and_on_disk(
    tmp_path_factory, image, mask, cards
) -> None:
    path = tmp_path_factory.mktemp("any") / "e.fits"
    exposure = Exposure(image, mask, np.abs(image), header=cards)
    digest = write_exposure(exposure, path)
    again = read_exposure(path)
    assert again.image.tobytes() == image.tobytes()
    assert again.mask.tobytes() == mask.tobytes()
    assert {key: again.header[key] for key in cards} == cards
    assert digest == content_sha256(path) == content_sha256_of(exposure)


def test_time_of_writing_run_host_and_step_times_do_not_count_as_content(tmp_path) -> None:
    exposure = an_exposure()
    write_exposure(exposure, tmp_path / "a.fits", cards={"ISRFLOW RUN": "night/1", "ISRFLOW HOST": "here", "DATE": "x"})
    exposure.history = [replace(entry, seconds=entry.seconds * 7) for entry in exposure.history]
    exposure.header["LSST CALIB DATE BIAS"] = "2026-03-01"
    write_exposure(exposure, tmp_path / "b.fits", cards={"ISRFLOW RUN": "night/2", "ISRFLOW HOST": "there"})
    assert (tmp_path / "a.fits").read_bytes() != (tmp_path / "b.fits").read_bytes()
    assert content_sha256(tmp_path / "a.fits") == content_sha256(tmp_path / "b.fits")


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.image.__setitem__((4, 6), e.image[4, 6] + 1),
        lambda e: e.mask.__setitem__((0, 0), e.mask[0, 0] ^ 1),
        lambda e: e.variance.__setitem__((2, 2), 1),
        lambda e: e.header.__setitem__("LSST ISR GAIN C00", 1.8),
        lambda e: e.history.pop(),
        lambda e: e.header.__setitem__("LONGSTRN_", "x" * 149 + "y"),
    ],
)
def test_pixels_cards_and_history_count_as_content(change) -> None:
    exposure = an_exposure()
    before = content_sha256_of(exposure)
    change(exposure)
    assert content_sha256_of(exposure) != before


def test_reading_and_writing_again_changes_nothing(tmp_path) -> None:
    digest = write_exposure(an_exposure(), tmp_path / "a.fits")
    assert write_exposure(read_exposure(tmp_path / "a.fits"), tmp_path / "b.fits") == digest


def test_given_cards_win_over_those_of_the_header(tmp_path) -> None:
    write_exposure(an_exposure(), tmp_path / "e.fits", cards={"PROGRAM": "other", "ISRFLOW CONFIG": "abc"})
    header = read_exposure(tmp_path / "e.fits").header
    assert (header["PROGRAM"], header["ISRFLOW CONFIG"]) == ("other", "abc")


def test_cards_that_describe_the_raw_file_do_not_reach_the_product(tmp_path) -> None:
    stale = {"NAXIS1": 9, "BZERO": 32768, "CTYPE1": "RA---TAN", "CRPIX1": 5.0, "CHECKSUM": "z", "EXTNAME": "Segment00"}
    write_exposure(an_exposure(header=stale | {"MJD-OBS": 61100.0, "KEEP": 1}), tmp_path / "e.fits")
    header = read_exposure(tmp_path / "e.fits").header
    assert "KEEP" in header
    assert not {*stale, "MJD-OBS"} & set(header)


def test_masks_are_read_by_plane_name(tmp_path) -> None:
    write_exposure(an_exposure(), tmp_path / "e.fits")
    with fits.open(tmp_path / "e.fits", mode="update", checksum=True) as hdus:
        hdus["MASK"].header["MP_SAT"], hdus["MASK"].header["MP_BAD"] = 0, 1
        hdus["MASK"].header["HIERARCH MP_MOONLIGHT"] = 20
        hdus["MASK"].data[:] = 1 | 1 << 20
    mask = read_exposure(tmp_path / "e.fits").mask
    assert np.all(mask == mask_bits("SAT") | add_mask_plane("MOONLIGHT"))


def test_a_raw_exposure_has_one_plane_and_keeps_its_type(tmp_path) -> None:
    image = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1900
    digest = write_exposure(Exposure(image, header={"A": 1}), tmp_path / "raw.fits")
    again = read_exposure(tmp_path / "raw.fits")
    assert (again.image.dtype, again.mask, again.variance) == (np.dtype(np.uint16), None, None)
    np.testing.assert_array_equal(again.image, image)
    assert fits.getdata(tmp_path / "raw.fits", 1)[4, 6] == image[4, 6]
    assert digest == content_sha256(tmp_path / "raw.fits")


def test_a_view_is_written_as_its_own_picture(tmp_path) -> None:
    exposure = an_exposure()
    part = exposure.view(exposure.box.grown(-1))
    write_exposure(part, tmp_path / "part.fits")
    again = read_exposure(tmp_path / "part.fits")
    np.testing.assert_array_equal(again.image, exposure.image[1:-1, 1:-1])
    assert again.xy0 == (4, -3)


def test_the_wcs_stays_on_the_same_sky(tmp_path) -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [5.0, 2.0], [10.0, -30.0]
    wcs.wcs.cd = [[-5e-5, 1e-6], [1e-6, 5e-5]]
    write_exposure(an_exposure(wcs=wcs), tmp_path / "e.fits")
    again = read_exposure(tmp_path / "e.fits").wcs
    sky = np.array(wcs.pixel_to_world_values(4.0, -1.0))
    np.testing.assert_allclose(again.pixel_to_world_values(4.0, -1.0), sky, rtol=1e-12)
    with fits.open(tmp_path / "e.fits") as hdus:  # the file counts pixels from its own corner
        np.testing.assert_allclose(WCS(hdus[1].header).pixel_to_world_values(1.0, 3.0), sky, rtol=1e-12)


def test_the_camera_supplies_the_detector(tmp_path) -> None:
    amp = Amplifier(name="A", box=[0, 0, 7, 5], raw=[0, 0, 7, 5], raw_data=[0, 0, 7, 5])
    one, two = (Detector(id=i, name=f"S0{i}", box=[0, 0, 7, 5], amplifiers=(amp,)) for i in (1, 2))
    camera = Camera(name="two", detectors=(one, two))
    write_exposure(an_exposure(detector=two), tmp_path / "e.fits")
    assert read_exposure(tmp_path / "e.fits", camera=camera).detector is two
    assert read_exposure(tmp_path / "e.fits").detector is None


def test_a_compressed_or_gzipped_file_reads_as_the_plain_one(tmp_path) -> None:
    exposure = an_exposure()
    exposure.image[0, :3] = 0
    write_exposure(exposure, tmp_path / "e.fits")
    (tmp_path / "named_wrongly.fits").write_bytes(gzip.compress((tmp_path / "e.fits").read_bytes()))
    with fits.open(tmp_path / "e.fits") as hdus:
        packed = [hdus[0], *(fits.CompImageHDU(hdu.data, hdu.header, compression_type="GZIP_2") for hdu in hdus[1:])]
        fits.HDUList(packed).writeto(tmp_path / "e.fits.fz", checksum=True)
    for name in ("named_wrongly.fits", "e.fits.fz"):
        again = read_exposure(tmp_path / name)
        for plane in ("image", "mask", "variance"):
            np.testing.assert_array_equal(getattr(again, plane), getattr(exposure, plane))
        assert (again.obs, again.xy0, again.unit) == (exposure.obs, exposure.xy0, exposure.unit)
    assert content_sha256(tmp_path / "named_wrongly.fits") == content_sha256(tmp_path / "e.fits")


def test_damage_is_named_with_file_and_hdu(tmp_path) -> None:
    path = tmp_path / "e.fits"
    write_exposure(an_exposure(), path)
    good = path.read_bytes()
    at = good.index(b"VARIANCE")
    flipped = bytearray(good)
    flipped[good.index(b"END" + b" " * 77, at) + 2880] ^= 4
    path.write_bytes(flipped)
    with pytest.raises(RawFileError, match=r"e\.fits HDU 3 .*DATASUM"):
        read_exposure(path)
    path.write_bytes(good[:-5000])
    with pytest.raises(RawFileError, match="truncated"):
        read_exposure(path)
    path.write_bytes(b"")
    with pytest.raises(RawFileError, match="is empty"):
        read_exposure(path)
    with pytest.raises(RawFileError, match="no file"):
        read_exposure(tmp_path / "none.fits")


def test_a_card_that_does_not_fit_is_refused_and_not_cut_off(tmp_path) -> None:
    with pytest.raises(HeaderError, match="FITS has 80"):
        write_exposure(
            an_exposure(header={"LSST " + "VERY " * 12 + "LONG": 1.2345678901234567e-05}), tmp_path / "e.fits"
        )


def test_the_content_of_other_files_is_all_their_bytes(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert content_sha256(tmp_path / "a.yaml") == hashlib.sha256(b"a: 1\n").hexdigest()


def test_hdus_in_memory_are_those_of_the_file(tmp_path) -> None:
    exposure = an_exposure()
    hdus = exposure_to_hdus(exposure)
    assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE"]
    np.testing.assert_array_equal(hdus["MASK"].data, exposure.mask)
