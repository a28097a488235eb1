"""An afternoon of calibrations and a night of exposures as files, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isrflow.errors import ConfigError
from isrflow.frame.camera import Camera
from isrflow.simulate.calibrations import true_calibrations
from isrflow.simulate.exposure import Truth, simulate_exposure
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.shots import Shot, afternoon_shots, night_shots
from isrflow.simulate.signature import Signature, make_signature
from isrflow.simulate.write import write_raw

TABLES = ("linearizer", "crosstalk", "ptc")
"""Calibrations that enter isrflow as tables and not from raws."""
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Simulation:
    """Raws on disk, and all that is true about them."""

    camera: Camera
    seed: int
    flaws: Flaws
    shots: list[Shot]
    raws: list[Path] = field(default_factory=list)
    """In order of time, detectors in turn."""
    tables: dict[str, list[Path]] = field(default_factory=dict)
    """Calibration kind to files, one a detector: what ``isrflow calibs import`` takes."""
    truths: dict[str, list[Path]] = field(default_factory=dict)
    """Further true calibrations to compare with (bias, dark, defects, flat), by kind."""

    def truth(self, exposure_id: int, detector: int | str) -> Truth:
        """Return the truth about one exposure of one detector, by simulating it again.

        Raises
        ------
        ConfigError
            If there is no such exposure.
        """
        shot = next((shot for shot in self.shots if shot.obs.exposure_id == exposure_id), None)
        if shot is None:
            raise ConfigError(f"exposure {exposure_id} is not one of the {len(self.shots)} simulated")
        chosen = self.camera.detector(detector)
        return simulate_exposure(self.camera, chosen, shot, seed=self.seed, flaws=self.flaws)[1]


def simulate_calibrations(
    camera: Camera,
    out: Path,
    day_obs: int,
    *,
    seed: int = 1,
    flaws: Flaws | None = None,
    progress: Progress | None = None,
    **sequence: Any,
) -> Simulation:
    """Simulate an afternoon; `sequence` goes to `afternoon_shots`, the rest is as for `simulate_night`."""
    return simulate_shots(
        camera, out, afternoon_shots(camera, day_obs, seed=seed, **sequence), seed=seed, flaws=flaws, progress=progress
    )


def simulate_night(
    camera: Camera,
    out: Path,
    day_obs: int,
    *,
    n_science: int = 12,
    n_bias: int = 5,
    n_dark: int = 3,
    n_flat: int = 5,
    filters: Sequence[str] | None = None,
    exposure_time_s: float = 30.0,
    calibrations: bool = True,
    seed: int = 1,
    flaws: Flaws | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate an observing day: the afternoon's calibrations, then the night, as raw files.

    Parameters
    ----------
    camera
        Any camera; its YAML says how its raws look.
    out
        Directory; raws go to ``raw/YYYYMMDD``, true calibrations to ``truth``.
    day_obs
        Observing day, YYYYMMDD.
    n_science, n_bias, n_dark
        How many exposures.
    n_flat
        How many flats in each filter.
    filters
        Physical filters; None: all of the camera.
    exposure_time_s
        Of the science exposures.
    calibrations
        Whether there is an afternoon at all.
    seed
        Of everything: the same seed gives the same files but for the date they were written.
    flaws
        How strong the signature is.
    progress
        Called with (files written, files in all).

    Returns
    -------
    Simulation
        Paths, and the truth.
    """
    shots: list[Shot] = []
    if calibrations:
        shots = afternoon_shots(
            camera, day_obs, n_bias=n_bias, n_dark=n_dark, n_flat=n_flat, filters=filters, seed=seed
        )
    shots += night_shots(
        camera,
        day_obs,
        n_science=n_science,
        filters=filters,
        exposure_time_s=exposure_time_s,
        first_seq=len(shots) + 1,
        seed=seed,
    )
    return simulate_shots(camera, out, shots, seed=seed, flaws=flaws, progress=progress)


def simulate_shots(
    camera: Camera,
    out: Path,
    shots: Sequence[Shot],
    *,
    seed: int = 1,
    flaws: Flaws | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate any list of shots with all detectors; parameters as for `simulate_night`.

    Raises
    ------
    ConfigError
        If two shots have the same exposure id, or the camera's header map cannot say what they are.
    """
    ids = [shot.obs.exposure_id for shot in shots]
    twice = sorted({str(number) for number in ids if ids.count(number) > 1})
    if twice:
        raise ConfigError(f"two shots have the same exposure id: {', '.join(twice)}")
    result = Simulation(camera, seed, flaws or Flaws(), list(shots))
    paths: dict[tuple[int, int], Path] = {}
    for detector in camera.detectors:  # one signature at a time: they are large
        signature = make_signature(camera, detector, result.flaws, seed=seed)
        for number, shot in enumerate(shots):
            exposure, _ = simulate_exposure(camera, detector, shot, seed=seed, signature=signature)
            path = out / "raw" / str(shot.obs.day_obs) / f"{shot.obs.obs_id}_{detector.name}.fits"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_raw(exposure, camera, path)
            paths[number, detector.id] = path
            if progress is not None:
                progress(len(paths), len(shots) * len(camera.detectors))
        _write_truth(signature, out / "truth", result)
    result.raws = [paths[key] for key in sorted(paths)]
    return result


def _write_truth(signature: Signature, folder: Path, result: Simulation) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = signature.detector.name
    filters = [shot.obs.physical_filter for shot in result.shots if shot.obs.physical_filter]
    for physical_filter in dict.fromkeys(filters) or (None,):
        for kind, calibration in true_calibrations(signature, physical_filter).items():
            tag = f"_{physical_filter}" if kind == "flat" and physical_filter else ""
            path = folder / f"{kind}_{name}{tag}.fits"
            group = result.tables if kind in TABLES else result.truths
            if path not in group.setdefault(kind, []):
                calibration.to_hdus().writeto(path, overwrite=True, checksum=True)
                group[kind].append(path)
