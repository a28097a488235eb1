"""Refuse exposures that were taken without the voltage that depletes the silicon."""

from __future__ import annotations

import logging
import math

from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class BiasVoltageConfig(StepConfig):
    """Where the voltage is stated, and how low it may be."""

    minimum_v: float = 5.0
    """Least back-side bias voltage; 0 or less accepts everything."""
    voltage_card: str = "BSSVBS"
    """Header card of the voltage (V)."""
    supply_card: str = "HVBIAS"
    """Header card that says ON or OFF of the supply."""


def check_bias_voltage(exposure: Exposure, config: BiasVoltageConfig) -> None:
    """Refuse an exposure whose header says that the back-side bias was off or too low; pixels are untouched.

    Raises
    ------
    UnprocessableError
        If it was. Where a card is missing, or the voltage is not a number, that is warned of and nothing is checked.

    Notes
    -----
    Refused if the voltage (V) is below `minimum_v`, or the supply says OFF. No pixel is looked at.
    """
    if config.minimum_v <= 0:
        return
    voltage, supply = _voltage(exposure, config.voltage_card), exposure.header.get(config.supply_card)
    if not math.isfinite(voltage) or supply is None:
        absent = config.supply_card if math.isfinite(voltage) else config.voltage_card
        log.warning("%s: card %s is missing or not a number: the bias voltage is not checked", exposure.label, absent)
        return
    if voltage < config.minimum_v or str(supply).strip() == "OFF":
        raise UnprocessableError(
            f"{exposure.label}: back-side bias was {voltage:g} V, supply {supply} "
            f"(cards {config.voltage_card}, {config.supply_card}); at least {config.minimum_v:g} V are needed",
            fix="leave the exposure out, or set bias_voltage.minimum_v=0 to process it all the same",
        )


def _voltage(exposure: Exposure, card: str) -> float:
    try:
        return float(exposure.header[card])
    except (KeyError, TypeError, ValueError):
        return math.nan
