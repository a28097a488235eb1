"""ISR statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from isrflow.calibs.bias import Bias
from isrflow.calibs.dark import Dark
from isrflow.calibs.flat import Flat
from isrflow.frame.exposure import Exposure
from isrflow.quantum.statistics_layout import lsst_statistics
from isrflow.steps.byproducts import EffectivePtc, KeptOverscan, OverscanPixels, UntrimmedCopy
from isrflow.steps.isr_statistics import IsrStatisticsConfig, measure_isr_statistics
from tests.vectors.geometry import detector
from tests.vectors.harness import Outputs, Vector, covers

TRUNCATED = "Levels of single rows and columns"
WRONG_BOX = "Rows of the parallel overscan"
WINDOW = "The Gaussian window of spectra"
NO_OVERSCAN = "Banding of amplifiers without overscan"
TURNOFF = "Charge transfer without turnoffs"
SETTINGS = {
    "doCtiStatistics": "charge_transfer",
    "stat": "statistic",
    "nSigmaClip": "clip_sigma",
    "nIter": "clip_iterations",
    "doBandingStatistics": "banding",
    "bandingKernelSize": "banding_rows",
    "bandingFractionLow": "banding_low",
    "bandingFractionHigh": "banding_high",
    "bandingUseHalfDetector": "banding_half_detector",
    "doProjectionStatistics": "projections",
    "projectionKernelSize": "projection_px",
    "doProjectionFft": "projection_spectra",
    "projectionFftWindow": "spectrum_window",
    "doDivisaderoStatistics": "divisadero",
    "divisaderoEdgePixels": "divisadero_edge_px",
    "divisaderoNumImpactPixels": "divisadero_impact_px",
    "divisaderoProjectionMinimum": "divisadero_first_row",
    "divisaderoProjectionMaximum": "divisadero_last_row",
    "doCopyCalibDistributionStatistics": "calibration_distributions",
    "expectedDistributionLevels": "distribution_percentiles",
    "doBiasShiftStatistics": "bias_shifts",
    "biasShiftFilterOrder": "shift_filter_order",
    "biasShiftCutoff": "shift_cutoff",
    "biasShiftWindow": "shift_window_rows",
    "biasShiftThreshold": "shift_threshold",
    "biasShiftRowSkip": "shift_skip_rows",
    "biasShiftColumnSkip": "shift_skip_columns",
    "doAmplifierCorrelationStatistics": "amplifier_correlations",
}


def _exposure(vector: Vector, prefix: str) -> Exposure:
    image = vector.shared[f"{prefix}image"].copy()
    mask = vector.in_our_bits("mask", vector.shared[f"{prefix}mask"]).copy()
    unit = "electron" if vector.entry.get("units") == "electron" else "adu"
    return Exposure(image, mask, np.zeros(image.shape, np.float32), unit=unit, detector=detector(vector.params))


def _echoed(vector: Vector) -> dict[str, Any]:
    """Inputs that a vector states only where the reference repeats them in its results."""
    return vector.scalars.get("results") or {}


def _missing(vector: Vector) -> set[str]:
    """Amplifiers without overscan: of these alone the reference writes no row with itself, and a noise of nothing."""
    rows, shifts = _echoed(vector).get("AMPCORR") or [], _echoed(vector).get("BIASSHIFT") or {}
    silent = {name for name, each in shifts.items() if each["LOCAL_NOISE"] == 0.0 and not each["BIAS_SHIFTS"]}
    correlated = {row["ampName"] for row in rows if row["ampName"] == row["ampComp"]}
    return silent | ({row["ampName"] for row in rows} - correlated)


def _overscans(vector: Vector, names: list[str]) -> OverscanPixels:
    missing, kept = _missing(vector), {}
    for i, name in enumerate(names):
        if f"os{i}_overscanImage" in vector.shared and name not in missing:
            model = vector.shared[f"os{i}_overscanFit"]  # one value a row, repeated along it
            assert (model == model[:, :1]).all()
            kept[name] = KeptOverscan(vector.shared[f"os{i}_overscanImage"], model[:, 0].astype(np.float64))
    return OverscanPixels(kept)


def _message(vector: Vector) -> str:
    """What the reference said when it raised, which alone tells of inputs that were not given."""
    outcome = vector.scalars.get("outcome") or {}
    return str(vector.scalars.get("message") or outcome.get("message", ""))


def _ptc(vector: Vector, names: list[str]) -> EffectivePtc | None:
    gains = {name: each["INPUT_GAIN"] for name, each in (_echoed(vector).get("CTI") or {}).items()}
    ones = dict.fromkeys(names, 1.0)
    return EffectivePtc(gains, ones, ones) if gains else None


def _pictures(vector: Vector) -> dict[str, Any]:
    """Calibrations whose headers hold the cards that were copied."""
    cards = {k: v for each in (_echoed(vector).get("CALIBDIST") or {}).values() for k, v in each.items()}
    found = {}
    for kind, make in (("bias", Bias), ("dark", Dark), ("flat", Flat)):
        mine = {k: float(v) for k, v in cards.items() if k.startswith(f"LSST CALIB {kind.upper()} ")}
        if mine:
            found[kind] = make(exposure=Exposure(np.ones((1, 1), np.float32), header=mine))
    return found


def _truncated(vector: Vector, raw: Exposure) -> dict[str, str]:
    """The lines whose pixels the reference takes for whole numbers, though they are not."""
    found = {}
    for amp in raw.detector.amplifiers:
        gain = (_echoed(vector).get("CTI") or {}).get(amp.name, {}).get("INPUT_GAIN", amp.gain_electron_per_adu)
        data = raw.amp(amp).image * np.float32(gain)
        seen = data[:: -1 if amp.readout_corner[0] == "U" else 1, :: -1 if amp.readout_corner[1] == "R" else 1]
        lines = {"FIRST_COLUMN": seen[:, 0], "LAST_COLUMN": seen[:, -1], "FIRST_ROW": seen[0], "LAST_ROW": seen[-1]}
        for name, pixels in lines.items():
            if (pixels > -1).all() and (pixels < 65536).all() and (pixels != np.trunc(pixels)).any():
                found[f"results.CTI.{amp.name}.{name}_MEAN"] = TRUNCATED
    return found


@covers("IsrStatisticsTask(config).run(*")
def isr_statistics(vector: Vector) -> Outputs:
    params, config = vector.params, vector.params["config"]
    settings = {ours: config[theirs] for theirs, ours in SETTINGS.items() if theirs in config}
    settings["banding_half_detector"] = bool(config.get("bandingUseHalfDetector", True))
    settings["banding_rows"] = max(config.get("bandingKernelSize", 3), 1)  # none is 0 there
    picture, raw = _exposure(vector, "trimmed_"), _exposure(vector, "untrimmed_")
    names = [amp.name for amp in picture.detector.amplifiers]
    picture.header |= {f"LSST ISR PTCTURNOFF {name}": value for name, value in (params.get("PTCTURNOFF") or {}).items()}
    if _echoed(vector).get("MJD") is not None:
        picture.header["MJD"] = _echoed(vector)["MJD"]
    found = measure_isr_statistics(
        picture,
        IsrStatisticsConfig(**settings),
        overscan=_overscans(vector, names),
        untrimmed=None if "ntrimmed" in _message(vector) else UntrimmedCopy(raw),
        effective_ptc=_ptc(vector, names),
        **_pictures(vector),
    )
    differs = {f"results.CTI.{name}.PARALLEL_OVERSCAN_VALUES": WRONG_BOX for name in names} | _truncated(vector, raw)
    if config.get("doProjectionFft") and config.get("projectionFftWindow") == "GAUSSIAN":
        differs["raised"] = WINDOW
    if config.get("doCtiStatistics") and (not params.get("PTCTURNOFF") or "ntrimmed" in _message(vector)):
        differs["raised"] = TURNOFF
    if config.get("doBandingStatistics") and "NoneType" in _message(vector):
        differs["raised"] = NO_OVERSCAN
    spectra = [each.horizontal_spectrum for each in (found.projections or {}).values()]
    largest = max((float(np.abs(each).max()) for each in spectra if each is not None), default=0.0)
    scalars = {"results": lsst_statistics(found, picture.detector.id)}
    return Outputs(scalars=scalars, differs=differs, double=not largest, largest=largest)  # spectra of float32 profiles
