"""Subtract what amplifiers read out at the same time leave in each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.crosstalk import Crosstalk
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import add_mask_plane, mask_bits
from isrflow.kernels.arithmetic import divide_by, multiply_by
from isrflow.kernels.coupling import AmplifierGrid, Coupling
from isrflow.kernels.crosstalk import subtract_crosstalk as subtract_in_planes
from isrflow.kernels.crosstalk import (
    subtract_crosstalk_marking_subtrahend,
)
from isrflow.kernels.gather import good_median
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)
MISSING_CARD = "ISRFLOW CROSSTALK MISSING"
"""Names the detectors whose crosstalk should have been subtracted, but could not."""
Matrix = NDArray[np.float64]


class CrosstalkConfig(StepConfig):
    """What is subtracted, and what is marked."""

    enabled: bool = False
    """Whether the step is run."""
    background: Literal["None", "AMP", "DETECTOR"] = "None"
    """Level that does not cross over: none, or the median of good pixels of the source amplifier or the detector."""
    quadratic: bool = False
    """Whether the terms in the squared source are subtracted as well."""
    min_pixel_to_mask: float = 45000.0
    """Source pixels this far above the median of the image mark what they leave (in the unit of the ratios)."""
    mask_subtrahend: bool = False
    """Mark instead where at least `min_pixel_to_mask` was subtracted, counted from the amplifier's median."""
    ignore_variance: bool = False
    """With `mask_subtrahend`: leave the variance as it is."""
    full_amplifier: bool = False
    """In a raw mosaic, correct whole segments with their overscans, not only the light-sensitive pixels."""
    plane: str = "CROSSTALK"
    """Mask plane that is set."""
    between_detectors: bool = True
    """Whether ratios between detectors, where the calibration has any, are applied as well."""

    def wants_sources(self) -> bool:
        """Say whether other detectors are to be corrected for."""
        return self.between_detectors


def subtract_crosstalk(
    exposure: Exposure,
    config: CrosstalkConfig,
    *,
    crosstalk: Crosstalk,
    effective_ptc: EffectivePtc | None = None,
    bad_amplifiers: BadAmplifiers | None = None,
    sources: Mapping[str, Exposure] | None = None,
) -> None:
    """Subtract crosstalk between the amplifiers of a detector, and from other detectors if they are given, in place.

    Every source is taken as it is, uncorrected. Where the ratios hold for another unit, the image is converted for the
    duration.

    Parameters
    ----------
    exposure
        float32, raw mosaic or trimmed, overscan subtracted.
    config
        Terms, background and masks.
    crosstalk
        Ratios [source, target], amplifiers in the order of the detector.
    effective_ptc
        Gains to convert with; else those of `crosstalk`.
    bad_amplifiers
        Amplifiers that neither give nor receive.
    sources
        Detector name to exposure of the same shot, for ratios between detectors; same size and unit as `exposure`,
        left untouched. Those that are missing are named in the log and in the header.

    Raises
    ------
    CalibrationError
        If `crosstalk` has no ratios, no quadratic ones although they are asked for, or no gains to convert units with;
        or if a background is asked for with whole segments.
    CalibrationMismatch
        If the number of amplifiers, or the size or unit of sources, differs.
    GeometryError
        If the exposure has no detector.

    Notes
    -----
    ``I_t -= sum_s c[s, t] (I_s - b_s) + q[s, t] (I_s - b_s)^2`` and ``V_t += sum_s c^2 V_s + q^2 2 I_s^2 V_s``, with
    the source amplifier ``s`` turned to the readout corner of the target ``t``, uncorrected, and ``b`` its background;
    image and ``b`` in the unit of the ratios, ``c`` without unit, ``q`` in its inverse, variance in its square.
    """
    detector = _checked_detector(exposure, config, crosstalk)
    linear, quadratic = _coefficients(detector, crosstalk, config, bad_amplifiers)
    with _in_unit_of_ratios(exposure, detector, crosstalk, effective_ptc):
        _subtract(exposure, exposure, config, linear, quadratic)
    if config.between_detectors:
        _subtract_other_detectors(exposure, config, crosstalk, sources or {})
    exposure.header["LSST ISR CROSSTALK APPLIED"] = True


def _subtract_other_detectors(
    exposure: Exposure, config: CrosstalkConfig, crosstalk: Crosstalk, sources: Mapping[str, Exposure]
) -> None:
    """Subtract what detectors left in this one, in the unit of the image; name those that are not there."""
    if absent := [name for name in crosstalk.sources if name not in sources]:
        log.warning("%s: no exposure of detector %s, its crosstalk stays", exposure.label, ", ".join(absent))
        exposure.header[MISSING_CARD] = ",".join(absent)
    there = {name: matrix for name, matrix in crosstalk.inter_chip.items() if name in sources}
    ours = (exposure.box.section(), exposure.unit)
    theirs = {name: (sources[name].box.section(), sources[name].unit) for name in there}
    if unlike := [f"{name} {' in '.join(what)}" for name, what in theirs.items() if what != ours]:
        raise CalibrationMismatch(
            f"{exposure.label} covers {' in '.join(ours)}, its sources of crosstalk {', '.join(unlike)}"
        )
    plain = config.model_copy(update={"mask_subtrahend": False, "full_amplifier": False})
    for name, matrix in there.items():
        _subtract(exposure, sources[name], plain, matrix, None)


def _checked_detector(exposure: Exposure, config: CrosstalkConfig, crosstalk: Crosstalk) -> Detector:
    detector = exposure.detector
    if detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so the places of its amplifiers are not known")
    if not crosstalk.has_crosstalk:
        raise CalibrationError(f"{crosstalk.label} has no ratios", fix="run with the crosstalk step disabled")
    n = len(detector.amplifiers)
    if crosstalk.n_amplifiers != n:
        raise CalibrationMismatch(
            f"{crosstalk.label} is of {crosstalk.n_amplifiers} amplifiers, {exposure.label} of {n}"
        )
    if config.quadratic and not crosstalk.has_quadratic:
        raise CalibrationError(f"{crosstalk.label} has no quadratic ratios", fix="set crosstalk.quadratic=false")
    if config.full_amplifier and config.background != "None":
        raise CalibrationError("crosstalk of whole segments cannot be freed of a background: overscans have none")
    return detector


def _coefficients(
    detector: Detector, crosstalk: Crosstalk, config: CrosstalkConfig, bad: BadAmplifiers | None
) -> tuple[Matrix, Matrix | None]:
    usable = crosstalk.valid.copy()
    if bad is not None:
        out = [amp.name in bad.names for amp in detector.amplifiers]
        usable[out, :] = usable[:, out] = False
    linear = np.where(usable, crosstalk.coefficients, 0.0)
    return linear, crosstalk.quadratic_coefficients if config.quadratic else None


def _subtract(
    exposure: Exposure, source: Exposure, config: CrosstalkConfig, linear: Matrix, quadratic: Matrix | None
) -> None:
    assert exposure.detector is not None
    amplifiers = exposure.detector.amplifiers
    whole = config.full_amplifier and not exposure.is_trimmed
    sections = [_section(exposure, exposure.amp_box(amp, "raw" if whole else "data")) for amp in amplifiers]
    levels = [_section(exposure, exposure.amp_box(amp)) for amp in amplifiers]
    grid = AmplifierGrid(sections, [_corner(amp, exposure.is_trimmed) for amp in amplifiers])
    coupling = Coupling(linear, quadratic, _backgrounds(source, levels, config))
    bit, threshold = add_mask_plane(config.plane), config.min_pixel_to_mask
    if config.mask_subtrahend:
        subtract_crosstalk_marking_subtrahend(
            exposure.planes(),
            grid,
            coupling,
            bit=bit,
            threshold=threshold,
            levels=levels,
            with_variance=not config.ignore_variance,
        )
    else:
        other = None if source is exposure else source.planes()
        threshold += _typical(source)
        subtract_in_planes(exposure.planes(), grid, coupling, bit=bit, threshold=threshold, source=other)


def _backgrounds(source: Exposure, levels: list[tuple[slice, slice]], config: CrosstalkConfig) -> Matrix | None:
    """Return the level of each amplifier that does not cross over; None if all of it does."""
    if config.background == "None":
        return None
    if config.background == "DETECTOR":
        return np.full(len(levels), _typical(source))
    image, mask, _ = source.planes()
    bad = mask_bits("BAD")
    return np.array(map_in_threads(lambda section: good_median(image[section], mask[section], bad), levels))


def _typical(source: Exposure) -> float:
    """Return the median of a whole image's good pixels."""
    image, mask, _ = source.planes()
    return good_median(image, mask, mask_bits("BAD"))


def _section(exposure: Exposure, box: Box) -> tuple[slice, slice]:
    return box.slices(exposure.xy0)


def _corner(amp: Amplifier, is_trimmed: bool) -> tuple[bool, bool]:
    """Tell whether the readout corner is (upper, right) in the image at hand."""
    upper, right = amp.readout_corner[0] == "U", amp.readout_corner[1] == "R"
    if is_trimmed:
        return upper, right
    return upper != amp.raw_flip_y, right != amp.raw_flip_x


@contextmanager
def _in_unit_of_ratios(
    exposure: Exposure, detector: Detector, crosstalk: Crosstalk, ptc: EffectivePtc | None
) -> Iterator[None]:
    """Convert the image to the unit the ratios hold for, and back afterwards."""
    if exposure.unit == crosstalk.units:
        yield
        return
    gains = _gains(exposure, detector, crosstalk, ptc)
    there, back = (multiply_by, divide_by) if crosstalk.units == "electron" else (divide_by, multiply_by)
    region: Literal["data", "raw"] = "data" if exposure.is_trimmed else "raw"
    for amp, gain in gains:
        there(exposure.amp(amp, region).image, None, gain)
    try:
        yield
    finally:
        for amp, gain in gains:
            back(exposure.amp(amp, region).image, None, gain)


def _gains(
    exposure: Exposure, detector: Detector, crosstalk: Crosstalk, ptc: EffectivePtc | None
) -> list[tuple[Amplifier, float]]:
    if ptc is not None and not (ptc.is_placeholder and np.any(crosstalk.fit_gains != 0)):
        gains = np.array([ptc.gain_electron_per_adu[amp.name] for amp in detector.amplifiers])
    else:
        gains = crosstalk.fit_gains.copy()
    good = np.isfinite(gains) & (gains != 0)
    if not good.any():
        raise CalibrationError(
            f"{crosstalk.label} is for images in {crosstalk.units}, {exposure.label} is in {exposure.unit}, "
            "and there are no gains to convert with",
            fix="enable the effective_ptc step, or give crosstalk with fit gains",
        )
    gains[~good] = np.median(gains[good])
    return list(zip(detector.amplifiers, gains.tolist(), strict=True))
