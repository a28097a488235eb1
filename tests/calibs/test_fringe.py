"""Fringe frames: one or several, in files of the reference and ours."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from isrflow.calibs.files import read_calibration, write_calibration
from isrflow.calibs.fringe import Fringe
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import read_exposure, write_exposure


def frame(shape=(6, 8), seed=1, **more) -> Exposure:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float32)
    return Exposure(image, np.zeros(shape, np.int32), np.ones(shape, np.float32), **more)


def test_an_exposure_file_of_the_reference_is_one_frame(tmp_path) -> None:
    picture = frame(header={"OBSTYPE": "fringe", "DETECTOR": 4, "FILTER": "y"})
    picture.mask[2, 3] = 1
    write_exposure(picture, tmp_path / "fringe.fits")
    fringe = read_calibration("fringe", tmp_path / "fringe.fits")
    assert len(fringe.frames) == 1
    assert fringe.frames[0].image.tolist() == picture.image.tolist()
    assert fringe.frames[0].mask.tolist() == picture.mask.tolist()
    assert (fringe.info.detector_id, fringe.info.physical_filter) == (4, "y")


def test_a_bare_image_is_a_frame_too(tmp_path) -> None:
    fits.PrimaryHDU(np.ones((6, 8), np.float32)).writeto(tmp_path / "bare.fits")
    fringe = read_calibration("fringe", tmp_path / "bare.fits")
    assert fringe.frames[0].image.shape == (6, 8)
    assert not fringe.frames[0].variance.any()


def test_the_first_of_several_frames_is_what_others_read(tmp_path) -> None:
    several = Fringe.from_exposures(*(frame(seed=seed) for seed in (1, 2, 3)))
    write_calibration(several, tmp_path / "three.fits")
    again = read_calibration("fringe", tmp_path / "three.fits")
    assert again == several
    assert [each.image[0, 0] for each in again.frames] == [each.image[0, 0] for each in several.frames]
    assert read_exposure(tmp_path / "three.fits").image.tolist() == several.frames[0].image.tolist()
    with fits.open(tmp_path / "three.fits", checksum=True) as hdus:
        assert [(hdu.name, hdu.ver) for hdu in hdus[4:]] == [
            (name, number) for number in (2, 3) for name in ("IMAGE", "MASK", "VARIANCE")
        ]


def test_exposures_in_memory_make_frames() -> None:
    assert len(Fringe.from_exposures(frame(), frame(seed=2)).frames) == 2
    with pytest.raises(CalibrationFileError, match="this is a flat"):
        Fringe.from_exposures(frame(header={"OBSTYPE": "flat"}))
    with pytest.raises(CalibrationFileError, match="at least one frame"):
        Fringe.from_exposures()


def test_frames_that_contradict_each_other_are_refused_all_at_once() -> None:
    bad = frame(seed=2, shape=(6, 7))
    bad.image[0, 0] = np.nan
    with pytest.raises(CalibrationError, match=r"frame 2: .*1 pixels that are not finite.*\(6, 8\), \(6, 7\)"):
        Fringe(frames=(frame(), bad)).check()
    with pytest.raises(CalibrationError, match="without frames"):
        Fringe(frames=()).check()
    masked = replace(bad, mask=np.ones((6, 7), np.int32))
    Fringe(frames=(masked,)).check()
