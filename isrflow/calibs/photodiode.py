"""Photodiode: how much light a flat had, from the current of a photodiode in the beam.

Samples of time (s) and current (ampere) during one exposure, integrated to a charge (coulomb). Makers of photon
transfer curves and linearizers compare signals with it; no step of a recipe uses it. Looked up by instrument and
exposure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.forms import Form
from isrflow.calibs.tabular import TableCalibration, missing_columns, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError, ConfigError
from isrflow.frame.camera import Detector
from isrflow.frame.cards import parse_header
from isrflow.kernels.photodiode import METHODS, Method, integrate

if TYPE_CHECKING:
    from astropy.table import Table

# What electrometers call their columns, beside the reference's own names.
_TIMES = ("TIME", "Elapsed Time", "RNUM")
_CURRENTS = ("CURRENT", "Signal")
_FEWEST = 2
# Electrometers name themselves and their place, not the instrument they serve.
_INSTRUMENTS = {"AuxTel": ("LATISS", ("201",)), "MainTel": ("LSSTCam", ("101", "102", "103"))}


@dataclass(frozen=True, kw_only=True, eq=False)
class Photodiode(TableCalibration):
    """The current of a photodiode during one exposure."""

    time_s: NDArray[np.float64]
    """(n,) seconds from the start of the record, increasing."""
    current_ampere: NDArray[np.float64]
    """(n,) current; charges (coulomb) of the preceding intervals if the electrometer counts those."""
    integration_method: Method = "DIRECT_SUM"
    """One of `isrflow.kernels.photodiode.METHODS`."""

    kind: ClassVar[str] = "photodiode"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "exposure")
    obs_type: ClassVar[str] = "PHOTODIODE"
    schema: ClassVar[str] = "Photodiode"
    version: ClassVar[float] = 1.0
    reference_class: ClassVar[str] = "lsst.ip.isr.photodiode.PhotodiodeCalib"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"PHOTODIODE"})
    own_cards: ClassVar[frozenset[str]] = frozenset({"INTEGRATION_METHOD"})
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys((*_TIMES, *_CURRENTS, "timeSamples", "currentSamples"), "numbers"),
        "integrationMethod": "text",
    }
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"

    def charge_coulomb(
        self, method: Method | None = None, *, scale: float = 1.0, exposure_time_s: float | None = None
    ) -> float:
        """Return the charge collected, by the record's own method if none is given.

        Parameters
        ----------
        method, scale, exposure_time_s
            As `isrflow.kernels.photodiode.integrate` takes them.

        Raises
        ------
        CalibrationError
            If the method is unknown.
        ConfigError
            If MEAN is asked for without an exposure time.
        """
        chosen = method or self.integration_method
        if chosen not in METHODS:
            raise CalibrationError(f"{self.label}: no integration method {chosen!r}, there is {', '.join(METHODS)}")
        try:
            return integrate(self.time_s, self.current_ampere, chosen, scale=scale, exposure_time_s=exposure_time_s)
        except ValueError as error:
            raise ConfigError(f"{self.label}: {error}") from error

    def exposure_words(self) -> Mapping[str, Any]:
        """Return day and number of the exposure, as file names of electrometers state them."""
        stated = self.info.metadata
        return {name: stated[card] for name, card in (("day_obs", "DAY_OBS"), ("seq_num", "SEQ_NUM")) if card in stated}

    def check(self) -> None:
        """Raise `CalibrationError` if the lists differ in length, are not finite, or times do not increase."""
        time, current = self.time_s, self.current_ampere
        problems = []
        if time.ndim != 1 or time.shape != current.shape or time.size < _FEWEST:
            problems.append(f"time_s has {time.size} and current_ampere {current.size} samples, not two equal lists")
        for name, values in (("time_s", time), ("current_ampere", current)):
            if not np.isfinite(values).all():
                problems.append(f"{name} has {np.count_nonzero(~np.isfinite(values))} samples that are not finite")
        if (np.diff(time) <= 0).any():
            problems.append(f"time_s does not increase at sample {int(np.flatnonzero(np.diff(time) <= 0)[0]) + 1}")
        if self.integration_method not in METHODS:
            problems.append(f"integration_method is {self.integration_method!r}, not one of {', '.join(METHODS)}")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _own_metadata(self) -> dict[str, Any]:
        return {"INTEGRATION_METHOD": self.integration_method}

    def to_tables(self) -> list[Table]:
        """Return one row with all samples."""
        from astropy.table import Table

        return [Table({"TIME": [self.time_s], "CURRENT": [self.current_ampere]}, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a record of one row with all samples, or of a row per sample; raises `CalibrationFileError`."""
        table = tables[0]
        time = next((name for name in _TIMES if name in table.colnames), _TIMES[0])
        current = next((name for name in _CURRENTS if name in table.colnames), _CURRENTS[0])
        missing_columns(cls.kind, table, time, current)
        return cls._made(table.meta, table[time], table[current], table.meta.get("INTEGRATION_METHOD"))

    @classmethod
    def from_hdus(cls, hdus: fits.HDUList) -> Self:
        """Make a record of HDUs; electrometers say who they are in the primary header."""
        said_first = {card.keyword for card in hdus[1].header.cards} if len(hdus) > 1 else set()
        for key, value in parse_header(hdus[0].header).items():
            if len(hdus) > 1 and key not in said_first and not isinstance(value, list) and value is not None:
                hdus[1].header.append((key if len(key) <= 8 else f"HIERARCH {key}", value))
        return super().from_hdus(hdus)

    def to_tree(self) -> dict[str, Any]:
        """Return the samples as two lists, beside the metadata."""
        return {
            "metadata": self.metadata(),
            "timeSamples": self.time_s.tolist(),
            "currentSamples": self.current_ampere.tolist(),
            "integrationMethod": self.integration_method,
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a record of two lists; raises `CalibrationFileError`."""
        missing_keys(cls.kind, tree, "timeSamples", "currentSamples")
        return cls._made(tree, tree["timeSamples"], tree["currentSamples"], tree.get("integrationMethod"))

    @classmethod
    def from_text(cls, text: str, name: str) -> Self:
        """Make a record of lines of time and current.

        A file name ``..._DAY_SEQUENCE.txt`` says which exposure it is of.

        Raises
        ------
        CalibrationFileError
            If a line is not two numbers; names the first five such lines.
        """
        lines = [(i, line.partition("#")[0].split()) for i, line in enumerate(text.splitlines(), 1)]
        rows = {i: _numbers(words) for i, words in lines if words}
        wrong = [f"line {i}" for i, numbers in rows.items() if numbers is None]
        if wrong or not rows:
            raise CalibrationFileError(
                f"photodiode text is lines of time (s) and current (A); {', '.join(wrong[:5]) or 'it is empty'}"
            )
        samples = np.array([numbers for numbers in rows.values() if numbers is not None], np.float64)
        return cls(info=CalibInfo(metadata=_exposure_cards(name)), time_s=samples[:, 0], current_ampere=samples[:, 1])

    @classmethod
    def _made(cls, source: Mapping[str, Any], time: Any, current: Any, method: Any) -> Self:
        return cls(
            info=cls.info_from(_with_instrument(source)),
            time_s=np.asarray(np.ravel(time), np.float64),
            current_ampere=np.asarray(np.ravel(current), np.float64),
            integration_method=str(method or "DIRECT_SUM").strip(),  # type: ignore[arg-type] # check says if unknown
        )

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:  # noqa: ARG003 - it is of all detectors
        """Make a pulse of 2 s of 0.36 nA on a noise of 0.2 pA."""
        time = np.arange(40, dtype=np.float64) * 0.1
        light = np.where((time > 1.0) & (time < 3.0), 3.6e-10, 0.0)
        return cls(time_s=time, current_ampere=light + rng.normal(0.0, 2e-13, time.size))


def _numbers(words: list[str]) -> tuple[float, float] | None:
    try:
        time, current = (float(word) for word in words)
    except ValueError:
        return None
    return time, current


def _exposure_cards(name: str) -> dict[str, int]:
    """Return the day and the sequence number that a file name ends in."""
    words = Path(name).stem.split("_")[-2:]
    known = len(words) == 2 and all(word.isdigit() for word in words)
    return {"DAY_OBS": int(words[0]), "SEQ_NUM": int(words[1])} if known else {}


def _with_instrument(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace the electrometer's name in INSTRUME by the instrument's."""
    instrument, (name, meters) = (
        str(source.get("INSTRUME") or ""),
        _INSTRUMENTS.get(str(source.get("LOCATN") or "").strip(), ("", ())),
    )
    prefix, _, number = instrument.strip().rpartition("_")
    if prefix == "Electrometer_index" and number in meters:
        return {**source, "INSTRUME": name}
    return source
