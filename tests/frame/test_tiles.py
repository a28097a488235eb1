"""Tile-compressed integers, against astropy (whose coder is that of cfitsio)."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from isrflow.errors import RawFileError
from isrflow.frame.fitsbytes import read_hdus
from isrflow.frame.raw import read_raw
from isrflow.frame.sections import detector_from_header
from isrflow.frame.tiles import decode_integers
from isrflow.kernels.rice import decode_rice

KINDS = (np.uint8, np.int16, np.int32)


def compressed(path, pixels, *, header=None, kind="RICE_1", **options):
    hdu = fits.CompImageHDU(pixels, header, compression_type=kind, **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    return read_hdus(path)[1]


@given(data=st.data())
def test_integers_come_back_as_they_were_written(tmp_path_factory, data) -> None:
    dtype = data.draw(st.sampled_from(KINDS))
    shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 70)))
    tile = data.draw(st.tuples(st.integers(1, shape[0]), st.integers(1, shape[1])))
    limits, spread = np.iinfo(dtype), data.draw(st.sampled_from([0.0, 0.3, 4.0, 500.0, 1e5, 1e10]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pixels = np.clip(rng.normal(100, spread, shape), limits.min, limits.max).astype(dtype)
    path = tmp_path_factory.mktemp("tiles") / "image.fits"
    found = decode_integers(compressed(path, pixels, tile_shape=tile))
    assert found.dtype == dtype
    assert np.array_equal(found, pixels)


def test_a_raw_of_unsigned_integers_is_read_whole(tmp_path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65535, (12, 40), np.uint16, endpoint=True)
    pixels[3:6] = 1000
    header = fits.Header({"DATASEC": "[1:36,1:12]", "EXPTIME": 1.0, "OBSTYPE": "science", "EXPID": 1})
    path = tmp_path / "raw.fits"
    compressed(path, pixels, header=header, tile_shape=(1, 40))
    raw = read_raw(path, None, detector_from_header(header, (40, 12)))
    assert raw.image.dtype == np.uint16
    assert np.array_equal(raw.image, pixels)


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (np.ones((8, 8), np.float32), "RICE_1"),
        (np.ones((8, 8), np.int16), "GZIP_1"),
        (np.ones((2, 8, 8), np.int16), "RICE_1"),
    ],
)
def test_other_codes_and_kinds_of_pixels_are_left_to_astropy(tmp_path, pixels, kind) -> None:
    assert decode_integers(compressed(tmp_path / "image.fits", pixels, kind=kind)) is None


@pytest.mark.parametrize(("place", "value"), [(0, 100), (4, 10**6)], ids=["too short", "elsewhere"])
def test_broken_code_is_noticed(tmp_path, place, value) -> None:
    path = tmp_path / "image.fits"
    hdu = compressed(path, np.random.default_rng(3).normal(1000, 30, (16, 64)).astype(np.int16), tile_shape=(16, 64))
    content = bytearray(path.read_bytes())
    begin = content.index(bytes(hdu.data)) + place
    content[begin : begin + 4] = value.to_bytes(4, "big")
    path.write_bytes(bytes(content))
    with pytest.raises(RawFileError, match="the code of a tile is broken"):
        decode_integers(read_hdus(path)[1])


@given(code=st.binary(min_size=1, max_size=60), n_bytes=st.sampled_from([1, 2, 4]))
def test_no_bytes_whatever_make_the_decoder_read_beyond_them(code, n_bytes) -> None:
    stored = np.frombuffer(code, np.uint8)
    found = decode_rice(stored, np.array([[0, len(code)]]), np.array([[0, 1, 0, 100]]), (1, 100), n_bytes=n_bytes)
    assert found is None or found.shape == (1, 100)
