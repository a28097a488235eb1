"""Compressed exposures: the same content without loss, and no more loss than was asked for."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits

from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import content_sha256, read_exposure, write_exposure

RNG = np.random.default_rng(11)
SHAPES = [(1, 1), (5, 7), (48, 64), (130, 100)]


def exposure(shape=(130, 100)) -> Exposure:
    image = RNG.normal(1000, 30, shape).astype(np.float32)
    image[shape[0] // 2, shape[1] // 2] = np.nan
    image[0, 0] = 0.0
    mask = (RNG.random(shape) < 0.1).astype(np.int32) * 5
    return Exposure(image, mask, np.abs(image) / 2 + 1, xy0=(3, 4), header={"HELLO": "world", "LSST ISR LONG KEY": 1.5})


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("compression", ["mask", "gzip"])
def test_without_loss_content_and_pixels_are_those_of_the_plain_file(tmp_path, shape, compression) -> None:
    given, plain, packed = exposure(shape), tmp_path / "plain.fits", tmp_path / "packed.fits"
    content = write_exposure(given, plain)
    assert write_exposure(given, packed, compression=compression) == content
    assert content_sha256(packed) == content_sha256(plain) == content
    found, wanted = read_exposure(packed), read_exposure(plain)
    for name in ("image", "mask", "variance"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name), equal_nan=name != "mask")
    assert (found.xy0, found.unit) == (wanted.xy0, wanted.unit)
    assert {k: v for k, v in found.header.items() if k != "DATE"} == {
        k: v for k, v in wanted.header.items() if k != "DATE"
    }


@pytest.mark.parametrize("compression", ["none", "mask", "gzip", "rice"])
def test_checksums_are_right_and_every_hdu_is_what_its_name_says(tmp_path, compression) -> None:
    path = tmp_path / "exposure.fits"
    write_exposure(exposure(), path, compression=compression)
    with fits.open(path, checksum=True) as hdus:  # a wrong one is a warning, and warnings are errors here
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE"]
        assert hdus["MASK"].header["MP_SAT"] == 1
        assert all(hdu.data.shape == (130, 100) for hdu in hdus[1:])


def test_a_tile_is_a_gzip_file_of_sorted_bytes(tmp_path) -> None:
    path, given = tmp_path / "exposure.fits", exposure((4, 6))
    write_exposure(given, path, compression="gzip")
    with fits.open(path, disable_image_compression=True) as hdus:
        tile = gzip.decompress(hdus["IMAGE"].data["COMPRESSED_DATA"][0].tobytes())
    assert tile == given.image.astype(">f4").view(np.uint8).reshape(-1, 4).T.tobytes()


def test_noise_takes_less_room_rounded_than_whole_and_less_whole_than_plain(tmp_path) -> None:
    sizes = []
    for compression in ("none", "mask", "gzip", "rice"):
        write_exposure(exposure((400, 300)), tmp_path / compression, compression=compression)
        sizes.append((tmp_path / compression).stat().st_size)
    assert sizes == sorted(sizes, reverse=True)


def test_rounding_is_a_sixteenth_of_the_noise_and_the_same_every_time(tmp_path) -> None:
    given, path = exposure((200, 300)), tmp_path / "rounded.fits"
    content = write_exposure(given, path, compression="rice")
    assert content == content_sha256(path) == write_exposure(given, tmp_path / "again.fits", compression="rice")
    found = read_exposure(path)
    # A step of sigma/16 leaves sigma/16/sqrt(12) = 0.54; the noise of a tile is estimated to some per cent.
    assert np.nanstd(found.image - given.image) == pytest.approx(30 / 16 / 12**0.5, rel=0.1)
    assert np.array_equal(np.isnan(found.image), np.isnan(given.image))
    assert found.image[0, 0] == 0
    assert np.array_equal(found.mask, given.mask)


def test_raws_and_pictures_without_mask_are_not_touched(tmp_path) -> None:
    raw = Exposure(RNG.integers(0, 65535, (8, 9), np.uint16))
    assert write_exposure(raw, tmp_path / "a.fits") == write_exposure(raw, tmp_path / "b.fits", compression="gzip")
    assert read_exposure(tmp_path / "b.fits").image.dtype == np.uint16
