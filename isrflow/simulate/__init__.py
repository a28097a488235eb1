"""Raws with a known signature, for any camera, and the truth about them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isrflow.simulate.calibrations import true_calibrations
    from isrflow.simulate.exposure import Truth, simulate_exposure
    from isrflow.simulate.flaws import Flaws
    from isrflow.simulate.night import Simulation, simulate_calibrations, simulate_night, simulate_shots
    from isrflow.simulate.shots import Shot, afternoon_shots, night_shots
    from isrflow.simulate.signature import Signature, make_signature

_HOMES = {
    "Flaws": "flaws",
    "Shot": "shots",
    "Signature": "signature",
    "Simulation": "night",
    "Truth": "exposure",
    "afternoon_shots": "shots",
    "make_signature": "signature",
    "night_shots": "shots",
    "simulate_calibrations": "night",
    "simulate_exposure": "exposure",
    "simulate_night": "night",
    "simulate_shots": "night",
    "true_calibrations": "calibrations",
}
__all__ = [
    "Flaws",
    "Shot",
    "Signature",
    "Simulation",
    "Truth",
    "afternoon_shots",
    "make_signature",
    "night_shots",
    "simulate_calibrations",
    "simulate_exposure",
    "simulate_night",
    "simulate_shots",
    "true_calibrations",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"isrflow.simulate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'isrflow.simulate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
