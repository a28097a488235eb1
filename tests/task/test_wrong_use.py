"""The task called as a tired user calls it: every refusal names what was wrong, in the words of the task."""

import numpy as np
import pytest

from isrflow import IsrTask
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.errors import CalibrationError, ConfigError, GeometryError, NotAnExposureError
from isrflow.frame.exposure import Exposure
from isrflow.steps.overscan import OverscanConfig
from isrflow.task.subtasks import CrosstalkTask, OverscanCorrectionTask

METHODS = {
    "convertIntToFloat": (),
    "darkCorrection": (None,),
    "flatCorrection": (None,),
    "flatContext": (None,),
    "overscanCorrection": ("L",),
    "maskAmplifier": ("L", None),
    "saturationDetection": ("L",),
    "suspectDetection": ("L",),
    "saturationInterpolation": (),
    "updateVariance": ("L",),
    "maskDefect": ([],),
    "maskAndInterpolateDefects": ([],),
    "maskNan": (),
    "maskAndInterpolateNan": (),
    "maskNegativeVariance": (),
    "maskEdges": (),
    "makeBinnedImages": (),
    "measureBackground": (),
    "roughZeroPoint": (),
}


@pytest.mark.parametrize(("method", "others"), METHODS.items())
@pytest.mark.parametrize("nothing", [None, [[1.0]], "raw"])
def test_methods_name_themselves_when_given_no_exposure(method, others, nothing) -> None:
    with pytest.raises(NotAnExposureError, match=rf"{method}: \w+ must be an Exposure, not a {type(nothing).__name__}"):
        getattr(IsrTask(), method)(nothing, *others)


def test_an_amplifier_may_be_named(raw) -> None:
    IsrTask().saturationDetection(raw, "L")
    with pytest.raises(GeometryError, match="C99"):
        IsrTask().overscanCorrection(raw, "C99")
    with pytest.raises(NotAnExposureError, match="overscanCorrection: amp must be an Amplifier or its name, not a int"):
        IsrTask().overscanCorrection(raw, 3)


def test_keywords_work_as_positions_do(raw) -> None:
    assert IsrTask().maskAmplifier(ccdExposure=raw, amp="L", defects=None) is False


def test_a_bare_float_exposure_is_ready_for_the_methods_after_conversion(raw) -> None:
    bare = Exposure(raw.image, detector=raw.detector, obs=raw.obs)
    assert IsrTask().convertIntToFloat(bare) is bare
    IsrTask().saturationDetection(bare, "L")


def test_settings_of_methods_are_refused_in_words(trimmed) -> None:
    with pytest.raises(ConfigError, match=r"edges.level: Input should be 'DETECTOR' or 'AMP' .got 'WHAT'."):
        IsrTask().maskEdges(trimmed, 3, level="WHAT")
    with pytest.raises(ConfigError, match=r"edges.width_px: .*greater than or equal to 0 .got -3."):
        IsrTask().maskEdges(trimmed, -3)
    with pytest.raises(ConfigError, match="must have flatness, with meshX"):
        IsrTask().measureBackground(trimmed, {"flatnes": {}})
    with pytest.raises(ConfigError, match="flatness has no mesh"):
        IsrTask().measureBackground(trimmed, {"flatness": {"mesh": 3}})


def test_what_a_flatness_leaves_out_is_as_in_the_reference(trimmed) -> None:
    IsrTask().measureBackground(trimmed, {"flatness": {"meshX": 16, "meshY": 16}})
    assert trimmed.header["SKYLEVEL"] == 1000.0


def test_a_ptc_that_is_none_is_refused(raw) -> None:
    task = IsrTask(config={"usePtcGains": True})
    with pytest.raises(NotAnExposureError, match="ptcDataset must be a PhotonTransferCurve, not a dict"):
        task.updateVariance(raw, "L", ptcDataset={})
    with pytest.raises(CalibrationError, match="none is given"):
        task.updateVariance(raw, "L")


def test_steps_to_be_shown_must_exist() -> None:
    with pytest.raises(ConfigError, match=r"no exposure after doDrak .debug may name doAssembleCcd, doBias"):
        IsrTask(debug={"doDrak": print})


def test_a_subtask_is_retargeted_to_a_class_of_its_kind() -> None:
    for target in (object, OverscanCorrectionTask, "MyTask"):
        with pytest.raises(ConfigError, match="crosstalk must be retargeted to a class derived from CrosstalkTask"):
            IsrTask(retarget={"crosstalk": target})

    class Short(CrosstalkTask):
        def run(self, exposure):
            return None

    with pytest.raises(ConfigError, match=r"Short.run.self, exposure. must take .self, exposure, config."):
        IsrTask(retarget={"crosstalk": Short})


def test_a_subtask_may_pass_on_whatever_its_step_takes(raw, calibs) -> None:
    """Nothing is annotated: inputs and the by-product that later steps take are those of the step."""
    seen = []

    class Noted(OverscanCorrectionTask):
        def run(self, exposure, config, **inputs):
            seen.append(type(config))
            return super().run(exposure, config, **inputs)

    class Passed(CrosstalkTask):
        def run(self, exposure, config, **inputs):
            seen.append(sorted(inputs))
            exposure.image += np.float32(1)

    settings = {"doLinearize": False, "doCrosstalk": True, "doDefect": False}
    plain = IsrTask(config=settings | {"doCrosstalk": False}).run(
        Exposure(raw.image.copy(), detector=raw.detector, obs=raw.obs),
        **{k: calibs[k] for k in ("bias", "dark", "flat")},
    )
    task = IsrTask(config=settings, retarget={"overscan": Noted, "crosstalk": Passed})
    crosstalk = Crosstalk.example(raw.detector, np.random.default_rng(1))
    own = task.run(raw, crosstalk=crosstalk, **{k: calibs[k] for k in ("bias", "dark", "flat")})
    assert seen[0] is OverscanConfig
    assert "crosstalk" in seen[1]
    assert np.median(own.exposure.image - plain.exposure.image) == pytest.approx(1.0, abs=0.2)
