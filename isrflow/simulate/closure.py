"""How well each correction recovered the truth, against the best that noise allows.

For every step that removes something, two questions. *Leak*: how much of what it should remove is left? The residual
(pixels after the step minus the truth at that stage) is fitted with the true component, so that 0 is perfect, 1 is
nothing removed, and the floor is the standard error of that fit. *Noise*: is the scatter of the residual what read
noise, rounding and the noise of the calibrations make it? The truth holds the electrons that were really collected, so
up to the dark the shot noise is no residual; after the flat it is, and the variance plane has to foretell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.base import Calibration
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.simulate.exposure import Truth
from isrflow.simulate.stages import Stages, overscan_variance, stages_of

_STEPS = ("saturation", "overscan", "bias", "linearity", "crosstalk", "dark", "flat", "interpolation")
_SKIP = ("BAD", "SAT", "NO_DATA", "UNMASKEDNAN")
Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClosureRow:
    """One correction, judged."""

    step: str
    removes: str
    """What the step is for."""
    strength_adu: float
    """Root mean square of what was to be removed (for masks: the number of pixels)."""
    leak: float
    """Fraction of it that is left."""
    leak_floor: float
    """Standard error of that fraction from noise alone."""
    noise_adu: float
    """Scatter of what is left."""
    noise_floor_adu: float
    """What it should be."""
    formula: str
    """How the floor is worked out."""

    @property
    def noise_ratio(self) -> float:
        """Scatter over floor."""
        return self.noise_adu / self.noise_floor_adu if self.noise_floor_adu else float(self.noise_adu > 0)


@dataclass(slots=True)
class Snapshots:
    """Keeps a copy of the exposure after the steps a closure needs; give it to `run_isr` as ``on_step``."""

    taken: dict[str, Exposure] = field(default_factory=dict)

    def __call__(self, step: str, exposure: Exposure) -> None:
        """Copy the planes if the closure looks at this step."""
        if step in _STEPS:
            self.taken[step] = exposure.copy()


def closure_table(
    truth: Truth,
    snapshots: Mapping[str, Exposure],
    calibs: Mapping[str, Calibration],
    *,
    overscan_fit: str = "MEDIAN_PER_ROW",
) -> list[ClosureRow]:
    """Judge every correction of one exposure that was run.

    Parameters
    ----------
    truth
        Of that exposure.
    snapshots
        Step to exposure after it, as `Snapshots` takes them.
    calibs
        The calibrations that were used: their own variance is part of the floor.
    overscan_fit
        The model of the overscan step, for the noise it adds.
    """
    stages = stages_of(truth, calibs, overscan_fit)
    judges: Mapping[str, Callable[[Truth, Stages, Exposure], Iterable[ClosureRow]]] = {
        "saturation": _judge_saturation,
        "overscan": _judge_overscan,
        "bias": _judge_stage("bias", "fixed pattern"),
        "linearity": _judge_stage("linearity", "non-linearity"),
        "crosstalk": _judge_stage("crosstalk", "crosstalk"),
        "dark": _judge_stage("dark", "dark current"),
        "flat": _judge_flat,
        "interpolation": _judge_interpolation,
    }
    rows: list[ClosureRow] = []
    for step, judge in judges.items():
        if step in snapshots:
            rows += judge(truth, stages, snapshots[step])
    return rows


def render_closure(rows: Sequence[ClosureRow]) -> str:
    """Return the table as text."""
    lines = [f"{'step':14} {'removes':18} {'strength':>10} {'leak':>10} {'+-':>8} {'noise':>8} {'floor':>8}  formula"]
    lines += [
        f"{row.step:14} {row.removes:18} {row.strength_adu:10.3f} {row.leak:10.5f} {row.leak_floor:8.5f} "
        f"{row.noise_adu:8.3f} {row.noise_floor_adu:8.3f}  {row.formula}"
        for row in rows
    ]
    return "\n".join(lines)


def closure_dicts(rows: Sequence[ClosureRow]) -> list[dict[str, Any]]:
    """Return the table as plain values, for reports."""
    return [{**asdict(row), "noise_ratio": row.noise_ratio} for row in rows]


def _judge_stage(step: str, removes: str) -> Callable[[Truth, Stages, Exposure], Iterable[ClosureRow]]:
    def judge(truth: Truth, stages: Stages, exposure: Exposure) -> Iterable[ClosureRow]:
        stage = stages.after[step]
        good = _good(exposure, truth)
        residual = (exposure.image.astype(np.float64) - stage.expected)[good]
        yield _stage_row(step, removes, residual, good, stages)

    return judge


def _judge_flat(truth: Truth, stages: Stages, exposure: Exposure) -> Iterable[ClosureRow]:
    """Compare with the scene itself, shot noise and all, and the variance plane with its scatter."""
    stage = stages.after["flat"]
    good = _good(exposure, truth) & stages.even  # under a star, centring would count
    image, _, variance = exposure.planes()
    scale = _level_of(exposure, stage.expected, good)
    residual = image[good] / scale - stage.expected[good]
    yield _stage_row("flat", "uneven response", residual, good, stages)
    plane, expected = variance[good].astype(np.float64) / scale**2, stages.variance_plane[good]
    yield ClosureRow(
        "variance",
        "(foretells noise)",
        strength_adu=float(np.sqrt(expected.mean())),
        leak=float(plane.mean() / expected.mean() - 1),
        leak_floor=float(plane.std() / expected.mean() / np.sqrt(plane.size)),
        noise_adu=float(np.sqrt(plane.mean())),
        noise_floor_adu=float(np.sqrt(expected.mean())),
        formula="(electrons/gain^2 + read noise^2)/flat^2; leak: relative error of the mean",
    )


def _judge_overscan(truth: Truth, stages: Stages, exposure: Exposure) -> Iterable[ClosureRow]:
    """Work on means of rows: the level is common to a row."""
    residuals, components, variances = [], [], []
    for amp in truth.signature.detector.amplifiers:
        data = exposure.amp(amp, "data")
        expected = stages.raw_data[amp.name]
        ok = (data.planes()[1] & mask_bits(_SKIP)) == 0
        n = np.maximum(ok.sum(axis=1), 1)
        residuals.append(np.where(ok, data.image - expected, 0).sum(axis=1) / n)
        rows = slice(amp.raw_data.y0 - amp.raw.y0, amp.raw_data.y1 - amp.raw.y0)
        level = truth.level_adu[amp.name][rows].astype(np.float64)
        components.append(level - level.mean())
        per_pixel = stages.read_variance[amp.name]
        variances.append(per_pixel / n + overscan_variance(per_pixel, amp, stages.overscan_fit))
    formula = "sigma^2 (1/n_data + c/n_overscan), c = pi/2 for medians (finite n: pi/(2n + pi - 2))"
    yield _row(
        "overscan",
        "drift of the level",
        np.concatenate(residuals),
        component=np.concatenate(components),
        variance=np.concatenate(variances),
        formula=formula,
    )


def _judge_saturation(truth: Truth, stages: Stages, exposure: Exposure) -> Iterable[ClosureRow]:
    """Count pixels at full well that are not masked, and masked ones that hold less than the level."""
    missed = wrong = n_full = 0
    for amp in truth.signature.detector.amplifiers:
        data = exposure.amp(amp, "data")
        marked = (data.planes()[1] & mask_bits("SAT")) != 0
        full = stages.raw_full[amp.name]
        n_full += int(full.sum())
        missed += int((full & ~marked).sum())
        wrong += int((marked & ~full & (data.image < amp.saturation_adu)).sum())
    leak = missed / n_full if n_full else 0.0
    yield ClosureRow("saturation", "full pixels", n_full, leak, 0.0, wrong, 0.0, "every full pixel masked, no other")


def _judge_interpolation(truth: Truth, stages: Stages, exposure: Exposure) -> Iterable[ClosureRow]:
    """Compare single replaced pixels on even sky with the sky that should be there."""
    stage = stages.after["flat"]
    image, mask, _ = exposure.planes()
    clean = _good(exposure, truth) & stages.even
    single = ((mask & mask_bits("INTRP")) != 0) & stages.even
    single[:, :2] = single[:, -2:] = False
    for shift in (-2, -1, 1, 2):
        single &= np.roll(clean, shift, axis=1)
    if not single.any():
        return
    scale = _level_of(exposure, stage.expected, clean)
    residual = image[single] / scale - stage.expected[single]
    broken = stages.collected[single] - stage.expected[single]
    variance = np.sum(single_pixel_weights() ** 2) * np.full(residual.shape, float(np.median(stage.variance[clean])))
    formula = "sum w^2 of a good pixel's, w = kriging weights of the 4 nearest in the row"
    yield _row("interpolation", "broken pixels", residual, component=broken, variance=variance, formula=formula)


def single_pixel_weights() -> Plane:
    """Return the weights of the two pixels on either side with which one bad pixel is replaced.

    Ordinary kriging with the autocorrelation exp(-d^2/4) of a Gaussian image of unit width.
    """
    at = np.array([-2.0, -1.0, 1.0, 2.0])
    matrix = np.ones((5, 5))
    matrix[:4, :4] = np.exp(-((at[:, np.newaxis] - at) ** 2) / 4)
    matrix[4, 4] = 0
    weights: Plane = np.linalg.solve(matrix, np.append(np.exp(-(at**2) / 4), 1.0))[:4]
    return weights


def _level_of(exposure: Exposure, expected: Plane, good: NDArray[np.bool_]) -> float:
    """Return the level of the image in units of the scene: that of a flat is free."""
    return float(np.sum(exposure.image[good], dtype=np.float64) / np.sum(expected[good]))


def _stage_row(step: str, removes: str, residual: Plane, good: NDArray[np.bool_], stages: Stages) -> ClosureRow:
    """Make the row of an assembled stage; what the overscan added is common to the pixels of a row and adds up."""
    stage = stages.after[step]
    component, variance, common = stage.removed[good], stage.variance[good], stages.row_variance[good]
    row = _row(step, removes, residual, component=component, variance=variance, formula=stage.formula)
    weighted = component / variance
    power = float(np.sum(weighted * component))
    if not power:
        return row
    together = np.bincount(stages.row_number[good], weighted * np.sqrt(common))
    alone = np.sum(weighted**2 * (variance - common))
    return replace(row, leak_floor=float(np.sqrt(alone + np.sum(together**2)) / power))


def _row(step: str, removes: str, residual: Plane, *, component: Plane, variance: Plane, formula: str) -> ClosureRow:
    """Fit the residual with the component, each pixel weighted by its variance."""
    weight = 1 / variance
    power = float(np.sum(weight * component**2))
    return ClosureRow(
        step,
        removes,
        strength_adu=float(np.sqrt(np.mean(component**2))),
        leak=float(np.sum(weight * component * residual)) / power if power else 0.0,
        leak_floor=power**-0.5 if power else 0.0,
        noise_adu=float(np.sqrt(np.mean(residual**2))),
        noise_floor_adu=float(np.sqrt(np.mean(variance))),
        formula=formula,
    )


def _good(exposure: Exposure, truth: Truth) -> NDArray[np.bool_]:
    mask = exposure.planes()[1]
    good: NDArray[np.bool_] = ((mask & mask_bits(_SKIP)) == 0) & ~truth.cosmic_rays & ~truth.bled
    return good & truth.signature.is_sound
