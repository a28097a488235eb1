"""What is exposed, when and to what light: the afternoon's calibrations and the night's fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from isrflow.errors import ConfigError
from isrflow.frame.camera import Camera
from isrflow.frame.header_rules import READOUT_MODE, rules_of
from isrflow.frame.headers import exposure_id_of
from isrflow.frame.obs import Observation
from isrflow.frame.times import SECOND_NS, tai_ns_from_iso
from isrflow.simulate.noise import stream

READOUT_S = 2.0
"""From the end of the light to the end of the dark time."""
_AFTERNOON_H, _NIGHT_H = 8.0, 11.5
"""Hours after the rollover of the observing day."""
_SKY_ELECTRON_S = (15.0, 30.0, 45.0, 60.0)
"""Brightness of the sky in the first, second ... filter."""
_FIELDS = (("Alpha", 150.1, 2.2), ("Beta", 187.7, 12.4), ("Gamma", 214.9, 52.7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One exposure to be simulated: its circumstances and its light."""

    obs: Observation
    sky_electron_s: float = 0.0
    """Electrons per pixel and second from an even sky."""
    lamp_electron: float = 0.0
    """Electrons per pixel from the flat-field lamp, in the whole exposure."""
    field: str = ""
    """Name of the star field; empty: no stars."""
    offset_mm: tuple[float, float] = (0.0, 0.0)
    """Dither of the field in the focal plane."""
    seeing_px: float = 3.5
    """Full width at half maximum of a star."""


class Clock:
    """Numbers the exposures of an observing day and keeps their times in order."""

    def __init__(self, camera: Camera, day_obs: int, *, hours: float, first_seq: int = 1) -> None:
        try:
            midnight = datetime.strptime(str(day_obs), "%Y%m%d").replace(tzinfo=UTC)
        except ValueError as error:
            raise ConfigError(f"{day_obs!r} is not a day: write YYYYMMDD, for example 20260301") from error
        begin = midnight + timedelta(hours=camera.site.day_rollover_hours + hours)
        self.camera, self.day_obs, self.seq_num = camera, day_obs, first_seq
        self.now_ns = tai_ns_from_iso(begin.strftime("%Y-%m-%dT%H:%M:%S"))

    def expose(self, obs_type: str, exposure_time_s: float, physical_filter: str | None, **more: Any) -> Observation:
        """Return the circumstances of the next exposure, and let its time pass."""
        begin, seq_num = self.now_ns, self.seq_num
        end = begin + round(exposure_time_s * SECOND_NS)
        self.now_ns, self.seq_num = end + round((READOUT_S + 3.0) * SECOND_NS), seq_num + 1
        rules = rules_of(self.camera)
        return Observation(
            instrument=self.camera.name,
            exposure_id=exposure_id_of(self.day_obs, seq_num),
            obs_id=f"{self.camera.name}_{self.day_obs}_{seq_num:05d}",
            day_obs=self.day_obs,
            seq_num=seq_num,
            obs_type=obs_type,
            physical_filter=physical_filter,
            band=self.camera.band_of(physical_filter),
            exposure_time_s=exposure_time_s,
            dark_time_s=exposure_time_s + (READOUT_S if obs_type != "bias" else 0.0),
            begin_tai_ns=begin,
            end_tai_ns=end,
            readout_mode={
                name.removeprefix(READOUT_MODE): rule.default
                for name, rule in rules.items()
                if name.startswith(READOUT_MODE) and rule.default is not None
            },
            **more,
        )


def afternoon_shots(
    camera: Camera,
    day_obs: int,
    *,
    n_bias: int = 5,
    n_dark: int = 3,
    n_flat: int = 5,
    n_pairs: int = 0,
    filters: Sequence[str] | None = None,
    dark_time_s: float = 120.0,
    flat_electron: float = 30_000.0,
    seed: int = 1,
) -> list[Shot]:
    """Return the calibration exposures of an afternoon, in order of time.

    Parameters
    ----------
    camera, day_obs
        Whose, and the observing day (YYYYMMDD) they belong to.
    n_bias, n_dark
        How many of each.
    n_flat
        How many flats in each filter, all of one level.
    n_pairs
        How many further pairs of flats in the first filter, from a twentieth of `flat_electron` up to twice it.
    filters
        Physical filters; None: all of the camera.
    dark_time_s
        Exposure time of a dark.
    flat_electron
        Mean level of a flat; the lamp wanders by half a per cent.
    seed
        Of the lamp's wander.
    """
    clock = Clock(camera, day_obs, hours=_AFTERNOON_H)
    rng = stream(seed, "lamp", day_obs)
    shots = [Shot(obs=clock.expose("bias", 0.0, None, object_name="bias")) for _ in range(n_bias)]
    shots += [Shot(obs=clock.expose("dark", dark_time_s, None, object_name="dark")) for _ in range(n_dark)]
    names = _filters(camera, filters)
    for name in names:
        for _ in range(n_flat):
            obs = clock.expose("flat", 8.0, name, object_name="dome flat")
            shots.append(Shot(obs=obs, lamp_electron=flat_electron * (1 + 0.005 * float(rng.standard_normal()))))
    for pair in range(n_pairs):
        part = 0.05 * 40.0 ** (pair / max(n_pairs - 1, 1))
        for _ in range(2):
            obs = clock.expose("flat", 8.0 * part, names[0], object_name="flat pair")
            shots.append(Shot(obs=obs, lamp_electron=flat_electron * part))
    return shots


def night_shots(
    camera: Camera,
    day_obs: int,
    *,
    n_science: int = 12,
    filters: Sequence[str] | None = None,
    exposure_time_s: float = 30.0,
    first_seq: int = 1,
    seed: int = 1,
) -> list[Shot]:
    """Return the science exposures of a night: fields in turn, each visited once in every filter before the next.

    Parameters
    ----------
    camera, day_obs
        Whose, and the observing day (YYYYMMDD) the night belongs to.
    n_science
        How many.
    filters
        Physical filters; None: all of the camera.
    exposure_time_s
        Of each.
    first_seq
        Number of the first one within the day, after the afternoon's.
    seed
        Of dither and seeing.
    """
    clock = Clock(camera, day_obs, hours=_NIGHT_H, first_seq=first_seq)
    rng = stream(seed, "night", day_obs)
    names = _filters(camera, filters)
    shots = []
    for number, (field, index) in zip(range(n_science), _visits(len(names)), strict=False):
        name, ra, dec = field
        offset = (0.1 * float(rng.standard_normal()), 0.1 * float(rng.standard_normal()))
        more = {"object_name": f"field {name}", "ra_deg": ra + offset[0] / 50, "dec_deg": dec + offset[1] / 50}
        shots.append(
            Shot(
                obs=clock.expose("science", exposure_time_s, names[index], **more),
                sky_electron_s=_SKY_ELECTRON_S[index % len(_SKY_ELECTRON_S)] * (1 + 0.01 * number),
                field=name,
                offset_mm=offset,
                seeing_px=3.2 + 0.3 * abs(float(rng.standard_normal())),
            )
        )
    return shots


def _visits(n_filters: int) -> Iterator[tuple[tuple[str, float, float], int]]:
    while True:
        for field in _FIELDS:
            for index in range(n_filters):
                yield field, index


def _filters(camera: Camera, names: Sequence[str] | None) -> list[str | None]:
    known = [item.name for item in camera.filters]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigError(f"camera {camera.name} has no filter {', '.join(unknown)} (it has {', '.join(known)})")
    return list(names or known) or [None]
