"""From corrected exposures to a master: the stack is combined in blocks of rows, holes are filled, origins recorded.

Memory: the exposure being corrected, or ``block_mb`` for the block plus the three planes of the master; it does not
grow with the number of exposures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.identity import info_of
from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure, Unit
from isrflow.frame.history import HistoryEntry
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.kernels.combine import StackControl, combine_in_blocks
from isrflow.kernels.layout import Planes
from isrflow.makers.inputs import FILTERED, Input, MakerConfig, Stack

PERCENTILES = (0.0, 5.0, 16.0, 50.0, 84.0, 95.0, 100.0)
# Cards of the inputs that a master may inherit, where all inputs agree. Everything else is about single exposures.
_INHERITED = frozenset(
    {"TELESCOP", "OBSERVAT", "CHIPID", "SEQNAME", "SEQFILE", "SEQCKSUM", "ODP", "AP0_RC", "RAFTNAME", "SLOTNAME"}
)
_INHERITED_PREFIXES = ("LSST ISR ",)
_DATE = "%Y-%m-%dT%H:%M:%S"


def combine(
    stack: Stack,
    config: MakerConfig,
    *,
    kind: str,
    exclude: Sequence[str],
    clean: Callable[[Planes], None] | None = None,
) -> Exposure:
    """Combine a stack by its clipped mean.

    Parameters
    ----------
    stack
        The exposures, each divided by its scale.
    kind
        Calibration type; goes into header and history.
    exclude
        Mask planes whose pixels take no part.
    clean
        Called with each block (image, mask, variance, each (n, rows, nx)); may set mask bits.

    Returns
    -------
    Exposure
        The clipped mean; variance: the clipped variance over n (or from the inputs' variances, if they are few); mask:
        BAD alone, where an input had it or no value was left. Holes hold the median of the good pixels.

    Raises
    ------
    UnprocessableError
        If inputs have NO_DATA pixels.
    """
    few = len(stack.inputs) <= config.max_inputs_to_trust_variances
    control = StackControl(
        "MEANCLIP", config.n_sigma, config.n_iterations, mask_bits(exclude), mask_bits("BAD"), error_from_variance=few
    )

    def read(block: slice) -> Planes:
        planes = stack.rows(block)
        if clean is not None:
            clean(planes)
        return planes

    rows = stack.rows_at_once(config.block_mb)
    image, mask, variance = combine_in_blocks(stack.shape, read, control, rows=rows)
    _refuse_no_data(mask, kind)
    mask &= np.int32(mask_bits("BAD"))
    fill_holes(image, mask, variance)
    exposure = Exposure(image, mask, variance, unit=cast("Unit", stack.unit), detector=stack.detector)
    exposure.obs = _observation(stack.inputs, kind)
    exposure.header = _header(stack.inputs, kind) | _distribution(exposure, kind)
    settings: dict[str, Any] = {"inputs": len(stack.inputs), "n_sigma": config.n_sigma}
    exposure.history = [HistoryEntry(f"make_{kind}", 0.0, settings | {"iterations": config.n_iterations})]
    return exposure


def fill_holes(image: NDArray[np.float32], mask: NDArray[np.int32], variance: NDArray[np.float32]) -> None:
    """Give pixels without value the medians of the good ones and mark them BAD, in place."""
    holes = ~(np.isfinite(image) & np.isfinite(variance))
    good = ~holes & (mask == 0)
    if holes.any() and good.any():
        image[holes], variance[holes] = np.median(image[good]), np.median(variance[good])
    mask[holes] |= np.int32(mask_bits("BAD"))
    # a mean of few biases can have a variance below zero where their noise model does
    np.maximum(variance, 0, out=variance)


def master_info(exposure: Exposure, *, physical_filter: str | None = None) -> CalibInfo:
    """Return the identity of a master made now."""
    assert exposure.detector is not None
    info = info_of(exposure.detector, instrument=exposure.obs.instrument, physical_filter=physical_filter)
    return replace(info, creation_date=datetime.now(UTC).strftime(_DATE))


def _refuse_no_data(mask: NDArray[np.int32], kind: str) -> None:
    n = int(np.count_nonzero(mask & mask_bits("NO_DATA")))
    if n:
        raise UnprocessableError(f"the combined {kind} has {n} pixels without data (NO_DATA) in an input")


def _observation(inputs: Sequence[Input], kind: str) -> Observation:
    """State the circumstances of a master: exposure and dark time of one second (zero for a bias), first to last."""
    seconds = 0.0 if kind == "bias" else 1.0
    begins = [item.obs.begin_tai_ns for item in inputs if item.obs.begin_tai_ns is not None]
    ends = [item.obs.end_tai_ns for item in inputs if item.obs.end_tai_ns is not None]
    first = inputs[0].obs
    return Observation(
        instrument=first.instrument,
        obs_type=kind,
        day_obs=cast("int | None", _common([item.obs.day_obs for item in inputs])),
        physical_filter=first.physical_filter if kind in FILTERED else None,
        band=first.band if kind in FILTERED else None,
        exposure_time_s=seconds,
        dark_time_s=seconds,
        begin_tai_ns=min(begins, default=None) if ends else None,
        end_tai_ns=max(ends, default=None) if begins else None,
        readout_mode=first.readout_mode,
    )


def _header(inputs: Sequence[Input], kind: str) -> dict[str, Any]:
    first = inputs[0].header
    cards = {
        card: value
        for card, value in first.items()
        if (card in _INHERITED or card.startswith(_INHERITED_PREFIXES))
        and all(_same(item.header.get(card), value) for item in inputs)
    }
    now = datetime.now(UTC).strftime(_DATE)
    cards |= {"OBSTYPE": kind, "CALIB_CREATION_DATETIME": now}
    for i, item in enumerate(inputs):
        cards[f"CPP_INPUT_{i}"] = item.obs.exposure_id if item.obs.exposure_id is not None else item.obs.obs_id
        if item.obs.begin_tai_ns is not None:
            cards[f"CPP_INPUT_DATE_{i}"] = str(np.datetime64(item.obs.begin_tai_ns, "ns"))
        cards[f"CPP_INPUT_EXPT_{i}"] = item.obs.exposure_time_s
        cards[f"CPP_INPUT_SCALE_{i}"] = item.scale
    return cards


def _distribution(exposure: Exposure, kind: str) -> dict[str, Any]:
    """Return, per amplifier, percentiles of the image and the number of bad pixels."""
    cards: dict[str, Any] = {}
    assert exposure.detector is not None
    for amp in exposure.detector.amplifiers:
        image, mask, _ = exposure.amp(amp).planes()
        values = np.percentile(image, PERCENTILES)
        title = f"LSST CALIB {kind.upper()} {amp.name}"
        cards |= {f"{title} DISTRIBUTION {p}-PCT": float(v) for p, v in zip(PERCENTILES, values, strict=True)}
        cards[f"{title} BADPIX-NUM"] = int(np.count_nonzero(mask))
    return cards


def _common(values: Sequence[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else None


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) or (isinstance(a, float) and isinstance(b, float) and a != a and b != b)  # noqa: PLR0124 - NaN
