"""Raw files of several shapes, and every way in which they can be wrong."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits

from isrflow.errors import GeometryError, HeaderError, RawFileError
from isrflow.frame.camera import camera_from_yaml
from isrflow.frame.raw import detector_from_header, inspect_raw, read_raw

AMPS = """
    amplifiers:
      - {name: L, box: [0, 0, 6, 8], raw: [0, 0, 8, 8], raw_data: [0, 0, 6, 8], raw_serial_overscan: [6, 0, 2, 8]}
      - {name: R, box: [6, 0, 6, 8], raw: [8, 0, 8, 8], raw_data: [8, 0, 6, 8], raw_serial_overscan: [14, 0, 2, 8]}
"""
HEAD = "name: cam\nrecognise: {INSTRUME: CAM}\ndetectors:\n  - id: 0\n    name: D\n    box: [0, 0, 12, 8]\n"
MOSAIC = camera_from_yaml(HEAD + AMPS)
SPLIT = camera_from_yaml(HEAD + "    raw_hdus: [{hdu: L, x0: 0, y0: 0}, {hdu: R, x0: 8, y0: 0}]\n" + AMPS)
CARDS = {"INSTRUME": "CAM", "EXPID": 5, "OBSTYPE": "bias", "EXPTIME": 0.0, "DATE-OBS": "2026-03-02T04:00:00"}


def pixels(dtype=np.uint16):
    return np.arange(8 * 16).reshape(8, 16).astype(dtype) + np.array(40_000, dtype)


def write_mosaic(path, image=None, *, checksum=True, **cards):
    header = fits.Header(CARDS | cards)
    fits.PrimaryHDU(pixels() if image is None else image, header).writeto(path, checksum=checksum)
    return path


def write_split(path, *, compressed=False, sizes=(8, 8)):
    image = pixels()
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    left, right = np.ascontiguousarray(image[:, : sizes[0]]), np.ascontiguousarray(image[:, 8 : 8 + sizes[1]])
    hdus = [fits.PrimaryHDU(header=fits.Header(CARDS)), kind(left, name="L"), kind(right, name="R")]
    hdus[1].header["GAIN"], hdus[2].header["GAIN"] = 1.5, 1.5
    fits.HDUList(hdus).writeto(path, checksum=True)
    return path


def test_unsigned_sixteen_bits_stay_unsigned_sixteen_bits(tmp_path):
    raw = read_raw(write_mosaic(tmp_path / "a.fits"), MOSAIC)
    assert raw.image.dtype == np.uint16
    assert raw.image.dtype.isnative
    assert np.array_equal(raw.image, pixels())
    assert raw.mask is None
    assert raw.detector.name == "D"
    assert raw.obs.exposure_id == 5
    assert raw.header["INSTRUME"] == "CAM"
    assert not {"SIMPLE", "NAXIS1", "BZERO", "CHECKSUM"} & set(raw.header)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (np.uint16, np.uint16),
        (np.int16, np.int32),
        (np.int32, np.int32),
        (np.uint32, np.int32),
        (np.int64, np.int32),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_pixels_come_back_as_astropy_reads_them(tmp_path, stored, read):
    image = (np.arange(8 * 16).reshape(8, 16) - (50 if np.dtype(stored).kind != "u" else 0)).astype(stored)
    path = write_mosaic(tmp_path / "a.fits", image)
    raw = read_raw(path, MOSAIC)
    assert raw.image.dtype == read
    assert np.array_equal(raw.image, fits.getdata(path))
    raw.image += 1  # it is ours to change


def test_scaled_integers_are_scaled(tmp_path):
    hdu = fits.PrimaryHDU(pixels(np.int32), fits.Header(CARDS))
    hdu.scale("int16", bscale=0.5, bzero=40_000)
    hdu.writeto(tmp_path / "a.fits")
    raw = read_raw(tmp_path / "a.fits", MOSAIC)
    assert raw.image.dtype == np.float32
    assert np.array_equal(raw.image, pixels().astype(np.float32))


def test_pixels_beyond_32_bits_are_refused(tmp_path):
    image = np.full((8, 16), 2**40)
    with pytest.raises(RawFileError, match=r"HDU 0: pixels from 1099511627776 to 1099511627776 do not fit 32 bits"):
        read_raw(write_mosaic(tmp_path / "a.fits", image), MOSAIC)


@pytest.mark.parametrize("compressed", [False, True])
def test_one_hdu_an_amplifier_makes_the_same_mosaic(tmp_path, compressed):
    raw = read_raw(write_split(tmp_path / "a.fits", compressed=compressed), SPLIT)
    assert raw.image.dtype == np.uint16
    assert np.array_equal(raw.image, pixels())
    assert "GAIN" not in raw.header  # it says something about one amplifier


def test_gzip_is_recognised_by_content_whatever_the_name(tmp_path):
    plain = write_mosaic(tmp_path / "a.fits").read_bytes()
    (tmp_path / "b.fits").write_bytes(gzip.compress(plain))
    assert np.array_equal(read_raw(tmp_path / "b.fits", MOSAIC).image, pixels())


def test_inspecting_finds_the_same_as_reading(tmp_path):
    path = write_split(tmp_path / "a.fits", compressed=True)
    summary, raw = inspect_raw(path, [SPLIT]), read_raw(path, SPLIT)
    assert (summary.obs, summary.header, summary.detector) == (raw.obs, raw.header, raw.detector)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("fraction", [0.001, 0.3, 0.5, 0.7])
def test_a_truncated_file_is_refused(tmp_path, compressed, fraction):
    path = write_split(tmp_path / "a.fits", compressed=compressed)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(
        (RawFileError, GeometryError), match=r"a\.fits.*(truncated|damaged|not a FITS file|no image HDU)"
    ):
        read_raw(path, SPLIT)


def test_a_truncated_gzip_is_refused(tmp_path):
    plain = write_mosaic(tmp_path / "a.fits").read_bytes()
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(plain)[:-40])
    with pytest.raises(RawFileError, match=r"b\.fits\.gz is damaged: its gzip stream"):
        read_raw(tmp_path / "b.fits.gz", MOSAIC)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_flipped_bit_is_noticed(tmp_path, compressed):
    path = write_split(tmp_path / "a.fits", compressed=compressed)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for position in rng.integers(0, len(content), 300):
        content[position] ^= 1 << int(position % 8)
        path.write_bytes(content)
        with pytest.raises((RawFileError, HeaderError), match=r"a\.fits"):
            read_raw(path, SPLIT)
        content[position] ^= 1 << int(position % 8)


def test_a_damaged_hdu_is_named(tmp_path):
    path = write_split(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    content[-2880] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        RawFileError, match=r"a\.fits HDU 2 is damaged: its data do not match its DATASUM card"
    ) as caught:
        read_raw(path, SPLIT)
    assert caught.value.fix is not None
    assert "fitscheck" in caught.value.fix
    assert np.array_equal(read_raw(path, SPLIT, verify=False).image[:, :8], pixels()[:, :8])


@pytest.mark.parametrize("content", [b"", b"not a picture at all" * 200])
def test_what_is_not_fits_is_refused(tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(RawFileError, match=r"a\.fits is (empty|not a FITS file)"):
        read_raw(tmp_path / "a.fits", MOSAIC)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RawFileError, match=r"nowhere\.fits cannot be read: No such file"):
        read_raw(tmp_path / "nowhere.fits", MOSAIC)


def test_a_picture_of_the_wrong_size_is_refused_with_both_sizes(tmp_path):
    path = write_mosaic(tmp_path / "a.fits", np.zeros((9, 16), np.uint16))
    with pytest.raises(GeometryError, match=r"HDU 0 is 16 x 9 px \(x, y\), the amplifiers it holds need 16 x 8 px"):
        read_raw(path, MOSAIC)
    with pytest.raises(GeometryError, match=r"a\.fits is not a raw of detector D"):
        inspect_raw(path, [MOSAIC])


@pytest.mark.parametrize("sizes", [(7, 8), (8, 7)])
def test_an_amplifier_of_the_wrong_size_is_refused_with_both_sizes(tmp_path, sizes):
    with pytest.raises(GeometryError, match=r"\([LR]\) is 7 x 8 px \(x, y\), the amplifiers it holds need 8 x 8 px"):
        read_raw(write_split(tmp_path / "a.fits", sizes=sizes), SPLIT)


def test_a_missing_amplifier_is_named(tmp_path):
    path = write_split(tmp_path / "a.fits")
    with fits.open(path) as hdus:
        fits.HDUList(hdus[:2]).writeto(tmp_path / "b.fits", checksum=True)
    with pytest.raises(GeometryError, match=r"there is no image HDU 'R'"):
        read_raw(tmp_path / "b.fits", SPLIT)


def test_a_cube_is_refused(tmp_path):
    path = write_mosaic(tmp_path / "a.fits", np.zeros((2, 8, 16), np.uint16))
    with pytest.raises(GeometryError, match=r"has 3 axes \(16, 8, 2\), a picture has two"):
        read_raw(path, MOSAIC)


def test_missing_cards_are_all_named(tmp_path):
    fits.PrimaryHDU(pixels(), fits.Header({"INSTRUME": "CAM"})).writeto(tmp_path / "a.fits")
    with pytest.raises(HeaderError, match=r"(?s)a\.fits.*exposure_id.*begin.*exposure_time_s"):
        read_raw(tmp_path / "a.fits", MOSAIC)


def test_a_lone_frame_describes_itself(tmp_path):
    sections = {"TRIMSEC": "[5:16,2:8]", "BIASSEC": "[1:4,1:8]", "GAIN": 1.9, "RDNOISE": 5.0, "SATURATE": 60000}
    raw = read_raw(write_mosaic(tmp_path / "a.fits", **sections))
    amp = raw.detector.amplifiers[0]
    assert (amp.raw_data.section(), amp.raw_serial_overscan.section()) == ("[5:16,2:8]", "[1:4,2:8]")
    assert (amp.box.width, amp.box.height) == (12, 7)
    assert (amp.gain_electron_per_adu, amp.read_noise_electron, amp.saturation_adu) == (1.9, 5.0, 60000.0)


def test_overscan_above_the_data_is_parallel_and_backward_sections_flip():
    detector = detector_from_header(
        {"DATASEC": "[12:1,1:8]", "BIASSEC": "[1:14,9:10]", "GAIN": 1, "RDNOISE": 3}, (14, 10)
    )
    amp = detector.amplifiers[0]
    assert amp.raw_serial_overscan.is_empty
    assert amp.raw_parallel_overscan.section() == "[1:12,9:10]"
    assert (amp.raw_flip_x, amp.raw_flip_y) == (True, False)


@pytest.mark.parametrize(
    ("cards", "error", "match"),
    [
        ({}, HeaderError, "no TRIMSEC or DATASEC card"),
        ({"DATASEC": "[1:12]"}, GeometryError, "is not a FITS section"),
        ({"DATASEC": "[1:12,1:9]"}, GeometryError, r"DATASEC \[1:12,1:9\] reaches outside the image of 14 x 8 px"),
        ({"DATASEC": "[1:12,1:8]", "BIASSEC": "[12:14,1:8]"}, GeometryError, "runs into the data"),
        ({"DATASEC": "[1:12,1:8]", "GAIN": "high"}, HeaderError, "GAIN 'high' is not a number"),
    ],
)
def test_section_cards_that_cannot_be_are_refused(cards, error, match):
    with pytest.raises(error, match=match):
        detector_from_header(cards, (14, 8), where="a.fits")


def test_several_images_without_a_camera_are_refused(tmp_path):
    with pytest.raises(GeometryError, match="holds 2 images; only the geometry of a single one"):
        read_raw(write_split(tmp_path / "a.fits"))


def test_padding_that_is_missing_at_the_end_is_forgiven(tmp_path):
    path = write_split(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes()[:-2000])
    assert np.array_equal(read_raw(path, SPLIT).image, pixels())


def test_a_card_without_a_value_is_passed_over(tmp_path):
    path = write_mosaic(tmp_path / "a.fits", checksum=False, GAIN=1.5)
    path.write_bytes(path.read_bytes().replace(b"GAIN    =", b"GAIN    :"))
    assert "GAIN" not in read_raw(path, MOSAIC).header


def test_bytes_after_the_last_hdu_are_refused(tmp_path):
    path = write_mosaic(tmp_path / "a.fits")
    path.write_bytes(path.read_bytes() + b"junk" * 720)
    with pytest.raises(RawFileError, match="after HDU 0 come 2880 bytes that are not an HDU"):
        read_raw(path, MOSAIC)


WCS_CARDS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 10.0,
    "CRVAL2": -30.0,
    "CRPIX1": 3.0,
    "CRPIX2": 4.0,
    "CD1_1": -1e-4,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1e-4,
}


def test_the_coordinates_of_a_single_image_are_kept(tmp_path):
    raw = read_raw(write_mosaic(tmp_path / "a.fits", **WCS_CARDS), MOSAIC)
    ra, dec = raw.wcs.pixel_to_world_values(2, 3)  # the reference pixel, counted from zero
    assert (float(ra), float(dec)) == pytest.approx((10.0, -30.0), abs=1e-10)


def test_coordinates_that_make_no_sense_cost_a_warning_and_not_the_exposure(tmp_path, caplog):
    singular = WCS_CARDS | {"CD1_1": 0.0, "CD2_2": 0.0}
    raw = read_raw(write_mosaic(tmp_path / "a.fits", **singular), MOSAIC)
    assert raw.wcs is None
    assert "a.fits: the coordinates in the header cannot be used" in caplog.text
    assert np.array_equal(raw.image, pixels())


def test_an_image_without_coordinates_has_none(tmp_path):
    assert read_raw(write_mosaic(tmp_path / "a.fits"), MOSAIC).wcs is None
