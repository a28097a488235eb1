"""Look at calibrations before they are used: camera settings, units, and whether they are numbers at all."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Literal

import numpy as np

from isrflow.calibs.base import Calibration
from isrflow.calibs.image import ImageCalibration
from isrflow.calibs.stated import cards_of, stated_unit
from isrflow.errors import CalibrationError, CalibrationMismatch
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)

NAMES = {
    "bias": "bias",
    "bfk": "bf",
    "electrostatic": "bf",
    "crosstalk": "crosstalk",
    "dark": "dark",
    "defects": "defects",
    "deferred_charge": "CTI",
    "flat": "flat",
    "fringe": "fringe",
    "illumination": "illumination",
    "linearizer": "linearizer",
    "ptc": "PTC",
    "stray_light": "straylight",
    "gain_correction": "gain_correction",
}
"""Kinds of calibrations that are compared, in this order, and what messages and cards call them."""


class ComparisonConfig(StepConfig):
    """What has to agree, and what a disagreement means."""

    cards: tuple[str, ...] = ()
    """Header cards that state how the camera was run (SEQNAME, SEQFILE ...)."""
    unit: Literal["adu", "electron"] = "adu"
    """Unit in which the exposure meets the calibrations of `unit_of`."""
    unit_of: tuple[str, ...] = ("bias", "dark", "flat")
    """Kinds of calibrations that must state this unit, adu if they state none."""
    refuse: bool = False
    """Whether a disagreement is an error; else it is logged, and for cards noted in the header."""
    check: bool = True
    """Whether pixels and values of the calibrations are looked at."""


def compare_calibrations(
    exposure: Exposure, config: ComparisonConfig, *, calibs: Mapping[str, Calibration] | None = None
) -> None:
    """Compare camera settings and units of the calibrations in use with those of the exposure, and check their values.

    Parameters
    ----------
    exposure
        A card ``ISR <calibration> SEQUENCER MISMATCH`` is set in its header for each that was made otherwise.
    config
        Cards and unit; whether a disagreement is an error.
    calibs
        Kind to calibration; only those enabled steps take.

    Raises
    ------
    CalibrationMismatch
        If something disagrees and `config` says to refuse it.
    CalibrationError
        If a picture has no finite pixel, a flat no light, or a calibration contradicts itself. Single pixels that are
        not finite, and strange values of single amplifiers of a ptc or linearizer, are logged.

    Notes
    -----
    Values are compared as they stand, without tolerance; a card one side does not state is not compared. No pixel
    changes.
    """
    given = calibs or {}
    if exposure.unit == "electron" and config.unit == "adu" and given.keys() & set(config.unit_of):
        _say(f"{exposure.label} is in electron, but this recipe takes raws in adu", config.refuse, log)
    for kind, name in NAMES.items():
        if kind in given:
            stated = cards_of(given[kind]) or {}
            compare_cards(exposure.header, stated, name, config.cards, refuse=config.refuse)
            if kind in config.unit_of:
                compare_unit(stated_unit(given[kind]), config.unit, name, refuse=config.refuse)
    if config.check:
        map_in_threads(
            lambda item: _check(NAMES.get(item[0], item[0]), item[1], refuse=config.refuse), [*given.items()]
        )


def compare_cards(
    header: MutableMapping[str, Any],
    stated: Mapping[str, Any],
    name: str,
    cards: Iterable[str],
    *,
    refuse: bool,
    log: logging.Logger = log,
) -> None:
    """Warn of (and note in `header`), or refuse with `CalibrationMismatch`, cards a calibration states otherwise."""
    absent = []
    for card in cards:
        if card not in header:
            log.debug("Camera keyword %s is not in the header of the exposure.", card)
        elif card not in stated:
            absent.append(card)
        elif header[card] != stated[card]:
            message = f"{name} was made with {card} {stated[card]!r}, the exposure with {header[card]!r}"
            _say(message, refuse, log)
            header[f"ISR {name.upper()} SEQUENCER MISMATCH"] = True
    if absent:
        log.info("%s does not state %s", name, ", ".join(absent))


def compare_unit(stated: str, expected: str, name: str, *, refuse: bool, log: logging.Logger = log) -> None:
    """Warn of, or refuse with `CalibrationMismatch`, a calibration in another unit than the exposure."""
    if stated == expected:
        return
    _say(f"{name} is in {stated}, the exposure it is applied to in {expected}", refuse, log)


def _say(message: str, refuse: bool, log: logging.Logger) -> None:
    if refuse:
        raise CalibrationMismatch(message)
    log.warning(message)


def _check(name: str, calib: Calibration, *, refuse: bool) -> None:
    """Look at the pixels of pictures, and at what other calibrations say of themselves."""
    pictures = [calib.exposure] if isinstance(calib, ImageCalibration) else getattr(calib, "frames", ())
    for picture in pictures:
        _check_pixels(name, picture)
    if pictures:
        return
    try:
        calib.check()
    except CalibrationError as error:
        if refuse or calib.kind not in _JUDGED_BY_STEPS:
            raise
        log.warning("%s", error.message)


def _check_pixels(name: str, picture: Exposure) -> None:
    with np.errstate(invalid="ignore", over="ignore"):
        total = float(picture.image.sum())  # one pass tells whether all is well
    if name == "flat" and total <= 0:
        raise CalibrationError(f"flat: the sum of its pixels is {total:.6g}, but a flat must have light", fix=_ANOTHER)
    if math.isfinite(total):
        return
    strange = ~np.isfinite(picture.image)
    if strange.all():
        raise CalibrationError(f"{name}: none of its {strange.size} pixels is a finite number", fix=_ANOTHER)
    if picture.mask is not None:
        strange &= (picture.mask & mask_bits(("BAD", "NO_DATA"))) == 0
    if n_strange := int(np.count_nonzero(strange)):
        log.warning("%s: %d of %d pixels are not finite and not masked BAD", name, n_strange, strange.size)


_JUDGED_BY_STEPS = frozenset({"ptc", "linearizer"})
"""Calibrations of which amplifiers may be wrong: the steps that take them know what to do about one."""
_ANOTHER = "make or certify another one, or switch the step off that takes it"
