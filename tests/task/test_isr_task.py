"""IsrTask runs the recipe: what it takes, what it changes, what it returns."""

from types import SimpleNamespace

import numpy as np
import pytest

from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationMismatch, ConfigError, MissingCalibrations, NotAnExposureError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.recipe import IsrConfig
from isrflow.recipe_lsst import IsrLsstConfig
from isrflow.run import run_isr
from isrflow.steps.byproducts import OverscanFits
from isrflow.steps.overscan import OverscanConfig
from isrflow.steps.sensor_masks import CameraMasksConfig
from isrflow.task.isr_task import IsrTask
from isrflow.task.subtasks import MaskingTask, OverscanCorrectionTask, VignetteTask


def test_run_is_the_recipe_in_place(raw, calibs) -> None:
    expected = run_isr(raw, calibs, IsrConfig()).exposure
    result = IsrTask().run(raw, **calibs)
    assert result.exposure is raw is result.outputExposure
    for ours, theirs in zip(raw.planes(), expected.planes(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert raw.image.shape == raw.detector.box.shape
    assert set(result.amplifierStatistics.amplifiers) == {"L", "R"}
    assert result.outputStatistics is None
    assert result.ossThumb is result.outputBin1Exposure is result.preInterpExposure is None


def test_exposures_images_and_lists_of_boxes_serve_as_calibrations(raw, calibs) -> None:
    expected = run_isr(raw, calibs, IsrConfig()).exposure
    IsrTask().run(
        raw,
        bias=calibs["bias"].exposure,
        dark=calibs["dark"].exposure,
        flat=calibs["flat"].exposure,
        defects=list(calibs["defects"].boxes),
    )
    np.testing.assert_array_equal(raw.image, expected.image)


def test_an_integer_raw_yields_a_new_exposure(raw, calibs) -> None:
    raw = Exposure(np.rint(raw.image).astype(np.int32), detector=raw.detector, obs=raw.obs)
    before = raw.image.copy()
    result = IsrTask().run(raw, **calibs)
    assert result.exposure is not raw
    assert raw.image.dtype == np.int32
    np.testing.assert_array_equal(raw.image, before)
    assert "LSST ISR BIAS APPLIED" not in raw.header


def test_an_image_becomes_an_exposure_of_the_named_detector(raw, calibs, camera) -> None:
    result = IsrTask(config=IsrConfig().without(["dark"])).run(raw.image, camera=camera, detectorNum=0, **calibs)
    assert result.exposure.detector.name == "A"
    with pytest.raises(RuntimeError, match="has no detector"):
        IsrTask().run(raw.image, **calibs)
    with pytest.raises(TypeError, match="not a str"):
        IsrTask().run("raw.fits")


def test_all_missing_calibrations_are_named_at_once(raw) -> None:
    with pytest.raises(RuntimeError, match=r"(?=.*\bbias\b)(?=.*\bdefects\b)(?=.*\bdark\b)(?=.*\bflat\b)") as caught:
        IsrTask().run(raw)
    assert isinstance(caught.value, MissingCalibrations)


def test_thumbnails_and_binned_images_come_back_when_enabled(raw, calibs) -> None:
    config = IsrConfig.layered(
        {
            "thumbnail_overscan.enabled": True,
            "thumbnail_flattened.enabled": True,
            "binned": {"enabled": True, "factor1": 4, "factor2": 16},
        }
    )
    result = IsrTask(config=config).run(raw, **calibs)
    assert result.ossThumb.shape == (12, 16, 3)
    assert result.flattenedThumb is result.outputFlattenedThumbnail
    assert result.outputBin1Exposure.image.shape == (12, 16)
    assert result.outputBin2Exposure.image.shape == (3, 4)


def test_debug_steps_are_shown_in_order(raw, calibs) -> None:
    seen = []
    steps = [
        "doAssembleCcd",
        "doBias",
        "doCrosstalk",
        "doBrighterFatter",
        "doDark",
        "doFringe",
        "doStrayLight",
        "doFlat",
        "postISRCCD",
    ]
    IsrTask(debug={step: lambda _, step=step: seen.append(step) for step in steps}).run(raw, **calibs)
    assert seen == ["doAssembleCcd", "doBias", "doDark", "doFlat", "postISRCCD"]


class LevelOverscan(OverscanCorrectionTask):
    """Takes off a fixed level."""

    def run(self, exposure: Exposure, config: OverscanConfig) -> OverscanFits:
        exposure.image -= 1000
        self.metadata["LEVEL"] = config.order
        return OverscanFits({})


def test_a_retargeted_subtask_takes_the_place_of_its_row(raw, calibs) -> None:
    config = IsrConfig.layered({"overscan.order": 3})
    config = config.without(["bias", "dark", "flat", "defects", "trails", "interpolation", "bad_regions", "saturation"])
    task = IsrTask(config=config, retarget={"overscan": LevelOverscan})
    data = raw.detector.amplifiers[0]
    expected = raw.image[data.raw_data.slices()] - 1000
    result = task.run(raw)
    np.testing.assert_array_equal(result.exposure.image[data.box.slices()], expected)
    assert task.getFullMetadata()["isr:overscan"] == {"LEVEL": 3}


def test_retargeting_an_unknown_subtask_is_refused() -> None:
    with pytest.raises(ConfigError, match="no subtask fringes"):
        IsrTask(retarget={"fringes": VignetteTask})
    with pytest.raises(ConfigError, match="vignette cannot be retargeted: IsrLsstConfig has no row for it"):
        IsrTask(config=IsrLsstConfig(), retarget={"vignette": VignetteTask})


def test_the_newer_order_runs_under_the_classic_vocabulary(raw, calibs) -> None:
    ptc = PhotonTransferCurve.example(raw.detector, np.random.default_rng(2))
    off = ("crosstalk", "linearity", "deferred_charge", "brighter_fatter", "amplifier_noise")
    narrow = {"skip_leading": 0, "skip_trailing": 0}  # the overscans of this camera are
    recipe = IsrLsstConfig.layered({"overscan_serial": narrow, "overscan_parallel": narrow}).without(off)
    expected = run_isr(raw, {**calibs, "ptc": ptc}, recipe).exposure
    result = IsrTask(config=recipe).run(raw, ptc=ptc, **calibs)
    assert result.exposure.unit == "electron"
    np.testing.assert_array_equal(result.exposure.image, expected.image)


class WholeMask(MaskingTask):
    """Marks one column, as a camera of one's own would."""

    def run(self, exposure: Exposure, config: CameraMasksConfig) -> None:
        exposure.mask[:, 3] |= mask_bits("SUSPECT")


def test_masks_of_a_camera_of_ones_own_have_a_place(raw, calibs) -> None:
    task = IsrTask(config={"doCameraSpecificMasking": True}, retarget={"masking": WholeMask})
    assert (task.run(raw, **calibs).exposure.mask[:, 3] & mask_bits("SUSPECT")).all()


def test_settings_may_stand_under_the_names_of_the_reference(raw, calibs) -> None:
    expected = run_isr(raw, calibs, IsrConfig.layered({"overscan.fit_type": "MEAN", "dark.enabled": False})).exposure
    task = IsrTask(config={"overscan": {"fitType": "MEAN"}, "doDark": False, "qa.saveStats": False})
    np.testing.assert_array_equal(task.run(raw, **calibs).exposure.image, expected.image)
    assert not [key for key in task.metadata if key.startswith(("FIT", "RESIDUAL", "ISR VARIANCE"))]
    with pytest.raises(ConfigError, match="there is no doDrak"):
        IsrTask(config={"doDrak": False})


def test_statistics_of_amplifiers_are_noted_in_the_metadata(raw, calibs) -> None:
    task = IsrTask()
    noted: dict[str, float] = {}

    def look(exposure) -> None:
        noted.update({amp.name: float(np.median(exposure.amp(amp).variance)) for amp in exposure.detector.amplifiers})

    IsrTask(debug={"doDark": look}, config={"doVariance": True, "doDark": True}).run(raw.copy(), **calibs)
    header = task.run(raw, **calibs).exposure.header
    for name in "LR":
        assert task.metadata[f"FIT MEDIAN {name}"] == header[f"LSST ISR OVERSCAN SERIAL MEDIAN {name}"]
        assert task.metadata[f"RESIDUAL STDEV {name}"] == header[f"LSST ISR OVERSCAN RESIDUAL SERIAL STDEV {name}"]
        # before the dark adds its own, which is less than one percent
        assert task.metadata[f"ISR VARIANCE {name} MEDIAN"] == pytest.approx(noted[name], rel=0.01)
    assert task.metadata["NUMNANS"] == 0
    assert "LSST ISR BF ITERS" not in task.metadata


def test_pedestals_of_amplifiers_are_noted_by_the_subtask(raw, calibs) -> None:
    task = IsrTask(config={"doAmpOffset": True, "ampOffset.ampEdgeWidth": 10, "ampOffset.ampEdgeInset": 2})
    task.run(raw, **calibs)
    assert set(task.getFullMetadata()["isr:ampOffset"]["AMPOFFSET_PEDESTALS"]) == {"L", "R"}


def test_a_picture_from_before_interpolation_and_statistics_come_back_when_asked_for(raw, calibs) -> None:
    settings = {"doSaveInterpPixels": True, "doCalculateStatistics": True, "isrStats.doBandingStatistics": True}
    raw.image[10, 10] = 70000
    settings["overscan.fitType"] = "MEDIAN_PER_ROW"
    result = IsrTask(config=settings).run(raw, **calibs)
    assert result.preInterpExposure.image.max() > 60000
    assert result.exposure.image.max() < 10000
    assert len(result.outputStatistics["BANDING"]["AMP_BANDING"]) == 2
    assert result.outputStatistics["CTI"] is None


def test_a_linearizer_is_used_only_where_the_camera_asks_for_one(raw, calibs, camera, caplog) -> None:
    from isrflow.calibs.linearizer import Linearizer

    linearizer = Linearizer(
        linearity_type=dict.fromkeys("LR", "Squared"), coefficients={"L": [1e-5], "R": [1e-5]}, override=True
    )
    described = camera.detector("A").amplifiers[0].model_copy(update={"linearity_type": "Squared"})
    bent = raw.detector.model_copy(update={"amplifiers": (described, raw.detector.amplifiers[1])})
    task = IsrTask()
    assert not task.doLinearize(raw.detector)
    assert task.doLinearize(bent)
    plain, other = raw.copy(), raw.copy()
    other.detector = bent
    with caplog.at_level("INFO", logger="lsst.isr"):
        task.run(plain, linearizer=linearizer, **calibs)
    assert "calls it linear: no linearizer is used" in caplog.text
    task.run(other, linearizer=linearizer, **calibs)
    assert plain.header["LSST ISR LINEARIZER APPLIED"] is False
    assert other.header["LSST ISR LINEARIZER APPLIED"] is True
    assert np.median(other.image / plain.image) > 1.001


def test_what_cannot_be_a_calibration_is_refused(raw) -> None:
    with pytest.raises(NotAnExposureError, match="crosstalk must be a Crosstalk, not dict"):
        IsrTask().run(raw, crosstalk={})
    with pytest.raises(TypeError, match="two-dimensional image is needed, not a str"):
        IsrTask().run(raw, bias="bias.fits")


def test_quanta_note_their_inputs_in_the_raw_header(raw, calibs, monkeypatch) -> None:
    calibs["bias"].exposure.header.update(CALIB_CREATION_DATE="2026-03-01", CALIB_CREATION_TIME="12:00:00")
    refs = {name: SimpleNamespace(run="calibs/20260301", id=f"id-of-{name}") for name in ("bias", "ccdExposure")}
    refs["ccdExposure"].dataId = {"detector": 0}
    put = []
    butler = SimpleNamespace(get=lambda _: {"ccdExposure": raw, **calibs}, put=lambda *args: put.append(args))
    IsrTask().runQuantum(butler, SimpleNamespace(**refs), "output refs")
    assert raw.header["LSST CALIB RUN BIAS"] == "calibs/20260301"
    assert raw.header["LSST CALIB UUID BIAS"] == "id-of-bias"
    assert raw.header["LSST CALIB DATE BIAS"] == "2026-03-01 12:00:00"
    assert raw.header["LSST CALIB DATE CCDEXPOSURE"] == "Unknown Unknown"
    ((result, where),) = put
    assert result.outputExposure is raw
    assert where == "output refs"


def test_camera_keywords_are_compared(raw, calibs) -> None:
    raw.header.update(SEQNAME="a", SEQFILE="f")
    bias = calibs["bias"].exposure
    bias.header["SEQNAME"] = "b"
    compared = IsrConfig.from_lsst({"cameraKeywordsToCompare": ["SEQNAME", "SEQFILE", "ODP"]})
    IsrTask(config=compared).compareCameraKeywords(raw.header, bias, "bias")
    assert raw.header["ISR BIAS SEQUENCER MISMATCH"] is True
    strict = IsrTask(config=IsrConfig.layered({"comparison": {"cards": ["SEQNAME"], "refuse": True}}))
    with pytest.raises(CalibrationMismatch, match="bias was made with SEQNAME 'b', the exposure with 'a'"):
        strict.compareCameraKeywords(raw.header, bias, "bias")
    strict.compareCameraKeywords(raw.header, None, "bias")


def test_masks_of_the_raw_are_untouched_by_a_calibration_that_is_read_only(raw, calibs) -> None:
    for plane in calibs["bias"].exposure.planes():
        plane.setflags(write=False)
    IsrTask().run(raw, **calibs)
    assert raw.mask is not None
    assert not (raw.mask & mask_bits("NO_DATA")).any()
