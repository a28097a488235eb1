"""Make the response proportional to light."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.linearity_types import LINEARITY_TYPES
from isrflow.calibs.linearizer import Linearizer
from isrflow.errors import CalibrationError, CalibrationMismatch
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.kernels.arithmetic import divide_by, multiply_by
from isrflow.kernels.linearity import (
    correct_by_table,
    correct_double_spline,
    correct_polynomial,
    correct_spline,
    correct_squared,
)
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import ByProduct, StepConfig, at_amplifier

log = logging.getLogger(__name__)
AmplifierPlan = tuple[str, Box, str, NDArray[np.float64]]
"""Name, pixels, type of correction and coefficients of an amplifier."""


class LinearityConfig(StepConfig):
    """Settings of the correction: nearly all is in the linearizer."""

    required: bool = False
    """Demand a linearizer of every detector, also of those that are described as linear."""

    def demands(
        self,
        detector: Detector | None,
        physical_filter: str | None = None,  # noqa: ARG002 - the same for every filter
    ) -> frozenset[str]:
        """Demand a linearizer for detectors whose first amplifier is described as not linear."""
        described = detector is not None and _type(detector.amplifiers[0].linearity_type) != "None"
        return frozenset({"linearizer"} if described or self.required else ())


@dataclass(frozen=True, slots=True)
class Linearized(ByProduct):
    """What was corrected."""

    n_amplifiers: int = 0
    n_corrected: int = 0
    """Amplifiers with a correction that could be applied."""
    n_outside_table: int = 0
    """Pixels beyond the ends of lookup tables."""


def linearize(
    exposure: Exposure,
    config: LinearityConfig,  # noqa: ARG001
    *,
    linearizer: Linearizer | None = None,
    effective_ptc: EffectivePtc | None = None,
    gains: Mapping[str, float] | None = None,
) -> Linearized:
    """Correct each amplifier's non-linearity, in place on the image alone; without a linearizer nothing is done.

    Parameters
    ----------
    exposure
        float32, overscan and bias subtracted: trimmed, or a raw mosaic whose whole segments are corrected. Without a
        detector the linearizer's own boxes say where its amplifiers are.
    config
        Unused.
    linearizer
        Type and coefficients by amplifier.
    effective_ptc
        Its gains are used if the image is in electrons and no other `gains` are given.
    gains
        Amplifier name to electron/adu, for an image in electrons and a linearizer in adu. A NaN leaves its amplifier
        alone.

    Returns
    -------
    Linearized
        Counts of amplifiers and pixels.

    Raises
    ------
    CalibrationMismatch
        If amplifiers differ from the detector's; or types or coefficients do, unless the linearizer overrides them.
    CalibrationError
        If a type is not known or a table has no such row.

    Notes
    -----
    In adu, ``u`` the pixel: Polynomial ``u + sum c_i u^(i+2)``; Squared ``u + c u^2``; LookupTable ``u + T[row, u +
    offset]``; Spline ``u - s(u)`` with an Akima spline through the nodes; DoubleSpline the same twice, the second on
    the result of the first. Mask and variance stay as they are.

    References
    ----------
    Akima 1970, J. ACM 17, 589 (the spline).
    """
    if linearizer is None:
        return Linearized()
    if gains is None and effective_ptc is not None and exposure.unit == "electron":
        gains = effective_ptc.gain_electron_per_adu
    _refuse_other_detector(exposure, linearizer)
    found = map_in_threads(
        lambda plan: _linearize_amp(exposure, linearizer, plan, gains), list(_plan(exposure, linearizer))
    )
    exposure.header["LSST ISR LINEARIZER APPLIED"] = True
    corrected, outside = [each[0] for each in found], [each[1] for each in found]
    return Linearized(len(found), sum(corrected), sum(outside))


def _linearize_amp(
    exposure: Exposure, linearizer: Linearizer, plan: AmplifierPlan, gains: Mapping[str, float] | None
) -> tuple[bool, int]:
    """Correct one amplifier; tell whether that was done, and how many pixels lay outside a table."""
    name, box, kind, coefficients = plan
    scale = gains[name] if gains is not None and linearizer.units == "adu" else 1.0
    if math.isnan(scale):
        log.warning("%s: gain of amplifier %s is NaN, it stays as it is", exposure.label, name)
        return False, 0
    outside = 0
    with at_amplifier(name), _in_unit_of(kind, exposure.view(box).image, scale) as image:
        if kind == "LookupTable":
            outside = correct_by_table(image, _table_row(linearizer, coefficients), coefficients[1])
            corrected = outside < image.size
        else:
            corrected = _correct(image, kind, coefficients, scale)
    if not corrected:
        log.warning("%s: amplifier %s was not linearized (%s)", exposure.label, name, kind)
    return corrected, outside


@contextmanager
def _in_unit_of(kind: str, image: NDArray[np.float32], scale: float) -> Iterator[NDArray[np.float32]]:
    """Turn an image in electrons into adu for the duration, where coefficients cannot be turned into electrons."""
    if scale == 1.0 or kind not in ("Squared", "Polynomial", "LookupTable"):
        yield image
        return
    divide_by(image, None, scale)
    yield image
    multiply_by(image, None, scale)


def _correct(image: NDArray[np.float32], kind: str, c: NDArray[np.float64], scale: float) -> bool:
    match kind:
        case "None" | "Proportional":
            return True
        case "Squared":
            return correct_squared(image, c[0])
        case "Polynomial":
            return correct_polynomial(image, c)
        case "Spline":
            return correct_spline(image, c[: c.size // 2], c[c.size // 2 :], scale=scale)
        case "DoubleSpline":
            return correct_double_spline(image, c, scale=scale)
    raise CalibrationError(f"linearity type {kind!r} is not known (known: {', '.join(LINEARITY_TYPES)})")


def _table_row(linearizer: Linearizer, coefficients: NDArray[np.float64]) -> NDArray[np.float32]:
    row = int(coefficients[0])
    n_rows = 0 if linearizer.table is None else len(linearizer.table)
    if linearizer.table is None or not 0 <= row < n_rows:
        raise CalibrationError(f"{linearizer.label} has no table row {row} (it has {n_rows})")
    values: NDArray[np.float32] = linearizer.table[row]
    return values


def _plan(exposure: Exposure, linearizer: Linearizer) -> Iterator[AmplifierPlan]:
    """Yield each amplifier's name, pixels, type and coefficients."""
    if exposure.detector is None:
        for name in linearizer.amp_names:
            kind = _type(linearizer.linearity_type[name])
            yield name, linearizer.boxes[name], kind, linearizer.coefficients[name]
        return
    for amp in exposure.detector.amplifiers:
        box = exposure.amp_box(amp, "data" if exposure.is_trimmed else "raw")
        if linearizer.has_linearity:
            kind, coefficients = linearizer.linearity_type[amp.name], linearizer.coefficients[amp.name]
        else:
            kind, coefficients = amp.linearity_type, np.array(amp.linearity_coefficients, np.float64)
        yield amp.name, box, _type(kind), coefficients


def _type(name: str) -> str:
    """Return a type as we spell it: camera files of the reference write capitals."""
    return next((known for known in LINEARITY_TYPES if known.casefold() == name.strip().casefold()), name)


def _refuse_other_detector(exposure: Exposure, linearizer: Linearizer) -> None:
    if exposure.detector is None or not linearizer.has_linearity:
        return
    amplifiers: dict[str, Any] = {amp.name: amp for amp in exposure.detector.amplifiers}
    if set(amplifiers) != set(linearizer.amp_names):
        raise CalibrationMismatch(
            f"{linearizer.label} is for amplifiers {', '.join(linearizer.amp_names)}, "
            f"{exposure.label} has {', '.join(amplifiers)}"
        )
    other = [name for name, amp in amplifiers.items() if _differs(amp, linearizer)]
    if not other:
        return
    message = f"{linearizer.label} differs from the camera description at amplifiers {', '.join(other)}"
    if not linearizer.override:
        raise CalibrationMismatch(message, fix="correct the camera description, or let the linearizer override it")
    log.info(message)


def _differs(amp: Any, linearizer: Linearizer) -> bool:
    described = np.array(amp.linearity_coefficients, np.float64)
    return _type(amp.linearity_type) != _type(linearizer.linearity_type[amp.name]) or not np.array_equal(
        described, linearizer.coefficients[amp.name], equal_nan=True
    )
