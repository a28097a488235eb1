"""The true calibrations of a simulated detector: what perfect calibration work would find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.base import CalibInfo, Calibration
from isrflow.calibs.bfk import BrighterFatterKernel
from isrflow.calibs.bias import Bias
from isrflow.calibs.crosstalk import Crosstalk
from isrflow.calibs.dark import Dark
from isrflow.calibs.defects import Defects
from isrflow.calibs.flat import Flat
from isrflow.calibs.fringe import Fringe
from isrflow.calibs.identity import info_of
from isrflow.calibs.illumination import Illumination
from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.calibs.stray_light import StrayLight
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.frame.obs import Observation
from isrflow.simulate.collection import push_kernel
from isrflow.simulate.electronics import linearized
from isrflow.simulate.patterns import fringe_pattern, lamp_pattern, stray_pattern
from isrflow.simulate.signature import Signature


def true_calibrations(signature: Signature, physical_filter: str | None = None) -> dict[str, Calibration]:
    """Return every calibration of a detector as it truly is, by kind, ready for `run_isr`.

    Parameters
    ----------
    signature
        The detector's.
    physical_filter
        Of the flat.
    """
    return {
        "bias": true_bias(signature),
        "dark": true_dark(signature),
        "flat": true_flat(signature, physical_filter),
        "defects": true_defects(signature),
        "ptc": true_ptc(signature),
        "linearizer": true_linearizer(signature),
        "crosstalk": true_crosstalk(signature),
    }


def true_bias(signature: Signature) -> Bias:
    """Return the fixed pattern in adu, without noise."""
    return Bias(info=_info(signature), exposure=_picture(signature, signature.bias_adu, obs_type="bias"))


def true_dark(signature: Signature) -> Dark:
    """Return the dark current in adu per second, without noise."""
    rate = signature.dark_electron_s / _gains(signature)
    return Dark(info=_info(signature), exposure=_picture(signature, rate, obs_type="dark", dark_time_s=1.0))


def true_flat(signature: Signature, physical_filter: str | None) -> Flat:
    """Return the response in adu to the light of the lamp, amplifier gains included, scaled to a median of one."""
    response = signature.response(physical_filter) / _gains(signature)
    if signature.flaws.lamp:
        response *= 1 + np.float32(signature.flaws.lamp) * signature.pattern(lamp_pattern)
    response /= np.median(response)
    exposure = _picture(signature, response, obs_type="flat", physical_filter=physical_filter)
    return Flat(info=_info(signature, physical_filter), exposure=exposure)


def true_defects(signature: Signature) -> Defects:
    """Return the broken pixels, hot and dead, as boxes."""
    return Defects(info=_info(signature), boxes=signature.blemishes.boxes).normalised()


def true_linearizer(signature: Signature) -> Linearizer:
    """Return the camera's own linearity, which is how the simulated electronics behave."""
    amps = signature.detector.amplifiers
    bends = signature.flaws.nonlinearity
    return Linearizer(
        info=_info(signature),
        linearity_type={amp.name: amp.linearity_type if bends else "None" for amp in amps},
        coefficients={amp.name: np.array(amp.linearity_coefficients, np.float64) for amp in amps},
        boxes={amp.name: amp.box for amp in amps},
    )


def true_crosstalk(signature: Signature) -> Crosstalk:
    """Return the coefficients between amplifiers, those of other detectors included, ratios of adu."""
    info, others = _info(signature), signature.inter_detector
    return Crosstalk(info=info, coefficients=signature.crosstalk, inter_chip=others, units="adu")


def true_ptc(signature: Signature) -> PhotonTransferCurve:
    """Return gains, read noise and turnoff, and the exact curve of variance against mean that goes with them."""
    amps = signature.detector.amplifiers
    names = [amp.name for amp in amps]
    gain = {amp.name: amp.gain_electron_per_adu for amp in amps}
    noise = {amp.name: signature.flaws.read_noise * amp.read_noise_electron for amp in amps}
    means = np.geomspace(100.0, min(signature.full_well_electron.values()) / max(gain.values()), 10)
    return PhotonTransferCurve(
        info=_info(signature),
        fit_type="EXPAPPROXIMATION",
        gain=gain,
        gain_unadjusted=gain,
        noise=noise,
        turnoff={amp.name: _turnoff(amp, signature) for amp in amps},
        raw_means=dict.fromkeys(names, means),
        raw_variances={name: means / gain[name] + (noise[name] / gain[name]) ** 2 for name in names},
        used=dict.fromkeys(names, np.ones(means.size, np.bool_)),
        input_exposure_pairs=dict.fromkeys(names, np.arange(2 * means.size).reshape(-1, 2)),
        fit_parameters={name: np.array([0.0, gain[name], noise[name] ** 2]) for name in names},
    )


def true_kernel(signature: Signature) -> BrighterFatterKernel:
    """Return the potential with which charge pushes charge, the same for all amplifiers."""
    kernel = push_kernel(signature.flaws.brighter_fatter)
    amps = signature.detector.amplifiers
    return BrighterFatterKernel(
        info=_info(signature),
        size_px=kernel.shape[0],
        amplifier_kernels={amp.name: kernel for amp in amps},
        gain={amp.name: amp.gain_electron_per_adu for amp in amps},
    )


def true_fringe(signature: Signature, physical_filter: str | None) -> Fringe:
    """Return the fringes as they look in a flat-fielded exposure, root mean square one."""
    pattern = signature.pattern(fringe_pattern)
    frame = _picture(signature, pattern, obs_type="fringe", physical_filter=physical_filter)
    return Fringe(info=_info(signature, physical_filter), frames=(frame,))


def true_illumination(signature: Signature, physical_filter: str | None) -> Illumination:
    """Return what the sky leaves in an exposure that was divided by the flat of the lamp."""
    lamp = 1 + np.float32(signature.flaws.lamp) * signature.pattern(lamp_pattern)
    response = signature.response(physical_filter) / _gains(signature)
    level = np.median(response * lamp) / np.median(response)
    frame = _picture(signature, level / lamp, obs_type="illumination", physical_filter=physical_filter)
    return Illumination(info=_info(signature, physical_filter), exposure=frame)


def true_stray_light(signature: Signature, physical_filter: str | None, exposure_time_s: float) -> StrayLight:
    """Return the scattered light of an exposure of this length, in adu."""
    light = np.float32(signature.flaws.stray_light_electron_s * exposure_time_s) * signature.pattern(stray_pattern)
    frame = _picture(signature, light / _gains(signature), obs_type="stray_light", physical_filter=physical_filter)
    return StrayLight(info=_info(signature, physical_filter), exposure=frame)


def _turnoff(amp: Amplifier, signature: Signature) -> float:
    """Return the signal in adu at which pixels are full."""
    if not np.isfinite(amp.saturation_adu):
        return signature.full_well_electron[amp.name] / amp.gain_electron_per_adu
    signal = np.array([amp.saturation_adu - signature.level_adu[amp.name]])
    return float((linearized(signal, amp) if signature.flaws.nonlinearity else signal)[0])


def _gains(signature: Signature) -> NDArray[np.float32]:
    gains = np.ones(signature.detector.box.shape, np.float32)
    for amp in signature.detector.amplifiers:
        gains[amp.box.slices()] = amp.gain_electron_per_adu
    return gains


def _picture(signature: Signature, image: NDArray[np.float32], **obs: object) -> Exposure:
    shape = image.shape
    return Exposure(
        image=image.astype(np.float32),
        mask=np.zeros(shape, np.int32),
        variance=np.zeros(shape, np.float32),
        detector=signature.detector,
        obs=Observation(instrument=signature.camera.name, **obs),  # type: ignore[arg-type]
    )


def _info(signature: Signature, physical_filter: str | None = None) -> CalibInfo:
    return info_of(signature.detector, instrument=signature.camera.name, physical_filter=physical_filter)
