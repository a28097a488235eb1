"""Shutter motion: how a blade of the shutter travelled, and the fits that say when it was half-way.

Encoder and Hall-sensor samples of position (mm) against time (TAI), and fits of three jerks to them; times of fits are
seconds after the start. The middle of an exposure follows from those of opening and closing. Looked up by instrument
and exposure; each exposure has two, one of the blade that opens and one of the blade that closes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.forms import Form
from isrflow.calibs.shutter_layouts import PROFILE_CARDS, nested, profile_values, read_nested
from isrflow.calibs.tabular import TableCalibration, missing_columns
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector
from isrflow.kernels.shutter import midpoint_of_acceleration, midpoint_of_position

if TYPE_CHECKING:
    from astropy.table import Table

_NAN = float("nan")
_ENCODER = {"TIME_TAI": "time_tai", "TIME_MJD": "time_mjd", "POSITION": "position_mm"}
_HALL = {
    "HALL_TIME_TAI": "hall_time_tai",
    "HALL_TIME_MJD": "hall_time_mjd",
    "HALL_POSITION": "hall_position_mm",
    "HALL_SENSORID": "hall_sensor_id",
    "HALL_ISON": "hall_is_on",
}
_FIT = ("FIT_START_TIME", "FIT_PIVOT1", "FIT_PIVOT2", "FIT_JERK0", "FIT_JERK1", "FIT_JERK2")
_DTYPES = {"tai": "U32", "mjd": "f8", "mm": "f8", "id": "i4", "on": "?"}


@dataclass(frozen=True, slots=True)
class ShutterFit:
    """Three pieces of constant jerk."""

    start_s: float
    """When the motion began, after the start of the profile."""
    pivot1_s: float
    pivot2_s: float
    """After the beginning of the motion."""
    jerk0: float
    jerk1: float
    jerk2: float
    """mm/s^3."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShutterMotion(TableCalibration):
    """The motion of one blade: n encoder samples, m Hall transitions, and fits."""

    is_open: bool
    """Whether this is the blade that opens the shutter."""
    fits: Mapping[str, ShutterFit] = field(default_factory=dict)
    """Name (``hallSensorFit``, ``motorEncoderFit``) to fit."""
    fit_model: str = ""
    start_tai: str = ""
    """ISO date and time."""
    start_mjd: float = _NAN
    start_position_mm: float = _NAN
    target_position_mm: float = _NAN
    end_position_mm: float = _NAN
    target_duration_ms: float = _NAN
    action_duration_ms: float = _NAN
    side: str = ""
    """PLUSX or MINUSX."""
    file_name: str = ""
    obs_id: str = ""
    layout: float = 2.0
    """Version 1 or 2 of the shutter's own files, in whose form a tree is written."""
    time_tai: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, "U32"))
    time_mjd: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    position_mm: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """(n,) of the motor's encoder."""
    hall_time_tai: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, "U32"))
    hall_time_mjd: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    hall_position_mm: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    hall_sensor_id: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    hall_is_on: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """(m,) transitions of Hall sensors."""

    kind: ClassVar[str] = "shutter_motion"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "exposure")
    obs_type: ClassVar[str] = "shutterMotionProfile"
    schema: ClassVar[str] = "ShutterMotionProfile"
    version: ClassVar[float] = 1.0
    reference_class: ClassVar[str] = "lsst.ip.isr.shutterMotion.ShutterMotionProfile"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"shutterMotionProfile"})
    own_cards: ClassVar[frozenset[str]] = frozenset(
        {*PROFILE_CARDS, *(card.upper() for card in PROFILE_CARDS), "fileType", "FILETYPE"}
    )
    tags_metadata: ClassVar[bool] = False
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys(("TIME_TAI", "HALL_TIME_TAI", "FIT_NAME"), "texts"),
        **dict.fromkeys(("TIME_MJD", "POSITION", "HALL_TIME_MJD", "HALL_POSITION", *_FIT), "number"),
        "HALL_SENSORID": "whole number",
        "HALL_ISON": "whole number",
        "fileName": "text",
        "fileType": "text",
        "version": "number",
        "motionProfile": "mapping",
    }
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"

    def __post_init__(self) -> None:
        for name in (*_ENCODER.values(), *_HALL.values()):
            object.__setattr__(self, name, np.array(getattr(self, name), _DTYPES[name.rpartition("_")[2]]))

    def midpoints_s(self, fit: str = "hallSensorFit", *, skip_position: bool = False) -> tuple[float, float]:
        """Return the time (s after the profile's start) of zero acceleration, and of half the way.

        Parameters
        ----------
        fit
            Name of the fit to use.
        skip_position
            Return NaN for the second, as for profiles that do not know their ends.

        Raises
        ------
        CalibrationError
            If there is no such fit; names those there are.
        """
        if fit not in self.fits:
            raise CalibrationError(f"{self.label}: no fit {fit!r}, there is {', '.join(self.fits) or 'none'}")
        found = self.fits[fit]
        pivots, jerks = (found.pivot1_s, found.pivot2_s), (found.jerk0, found.jerk1)
        ends = self.start_position_mm, self.end_position_mm
        by_acceleration = midpoint_of_acceleration(pivots, jerks)
        by_position = _NAN if skip_position else midpoint_of_position(pivots, jerks, ends)
        return found.start_s + by_acceleration, found.start_s + by_position

    @property
    def part(self) -> str:
        """Say whether the blade opened or closed the shutter: each exposure has both."""
        return "opening" if self.is_open else "closing"

    def exposure_words(self) -> Mapping[str, Any]:
        """Return day and number of the exposure, which end its `obs_id`, or that."""
        named = re.fullmatch(r".*_(\d{8})_(\d+)", self.obs_id)
        if named:
            return {"day_obs": int(named[1]), "seq_num": int(named[2])}
        return {"obs_id": self.obs_id} if self.obs_id else {}

    @property
    def label(self) -> str:
        """Name the profile for messages."""
        return f"shutter_motion of {self.obs_id or '?'} ({self.part})"

    def check(self) -> None:
        """Raise `CalibrationError` if lists differ in length, or samples or fits are not finite."""
        problems = []
        for names in (_ENCODER.values(), _HALL.values()):
            sizes = {name: getattr(self, name).size for name in names}
            if len(set(sizes.values())) > 1:
                problems.append(f"lists differ in length: {sizes}")
            numbers = [name for name in names if name.endswith(("mjd", "mm"))]
            problems += [f"{name} is not all finite" for name in numbers if not np.isfinite(getattr(self, name)).all()]
        problems += [f"fit {name} is {fit}" for name, fit in self.fits.items() if not np.isfinite(astuple(fit)).all()]
        if self.layout not in (1.0, 2.0):
            problems.append(f"layout is {self.layout}, not 1 or 2")
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def _own_metadata(self) -> dict[str, Any]:
        values = {card: getattr(self, name) for card, name in PROFILE_CARDS.items()} | {"fileType": self.obs_type}
        unknown = [
            card for card, value in values.items() if value == "" or (isinstance(value, float) and np.isnan(value))
        ]
        return values | dict.fromkeys(unknown)

    def to_tables(self) -> list[Table]:
        """Return tables of encoder samples, of Hall transitions and of fits."""
        from astropy.table import Table

        fits: dict[str, Any] = {"FIT_NAME": np.array(list(self.fits), "U32")}
        numbers = np.array([astuple(fit) for fit in self.fits.values()]).reshape(-1, len(_FIT))
        fits |= dict(zip(_FIT, numbers.T, strict=True))
        return [
            Table({column: getattr(self, name) for column, name in _ENCODER.items()}, meta=self.metadata()),
            Table({column: getattr(self, name) for column, name in _HALL.items()}),
            Table(fits, meta={"FIT_MODEL": self.fit_model}),
        ]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a profile of its three tables; raises `CalibrationFileError`."""
        wanted = tuple(_ENCODER), tuple(_HALL), ("FIT_NAME", *_FIT)
        if len(tables) < len(wanted):
            raise CalibrationFileError(
                f"a shutter profile has tables of samples, transitions and fits; the file has {len(tables)}"
            )
        for table, columns in zip(tables, wanted, strict=False):
            missing_columns(cls.kind, table, *columns)
        samples: dict[str, Any] = {name: np.asarray(tables[0][column]) for column, name in _ENCODER.items()}
        samples |= {name: np.asarray(tables[1][column]) for column, name in _HALL.items()}
        found = {str(row["FIT_NAME"]).strip(): ShutterFit(*(float(row[c]) for c in _FIT)) for row in tables[2]}
        meta = tables[0].meta
        return cls(
            info=cls.info_from(meta),
            fits=found,
            fit_model=str(tables[2].meta.get("FIT_MODEL") or ""),
            **profile_values(meta),
            **samples,
        )

    def to_tree(self) -> dict[str, Any]:
        """Return the profile nested as the shutter's own files have it, beside who it belongs to."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        stated = {key: value for key, value in self.metadata().items() if value is not None}
        layout_cards = {*PROFILE_CARDS, "fileType", f"{self.obs_type}_SCHEMA", f"{self.obs_type}_VERSION"}
        metadata = {key: value for key, value in stated.items() if key not in layout_cards}
        return {
            "metadata": metadata | {"CALIBCLS": "lsst.ip.isr.ShutterMotionProfile"},
            **nested(values, {name: astuple(fit) for name, fit in self.fits.items()}),
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a profile of a nested tree, of layout 1 or 2; raises `CalibrationFileError`."""
        values, fits = read_nested(tree)
        info = cls.info_from(tree.get("metadata") or {})
        return cls(info=info, fits={name: ShutterFit(*numbers) for name, numbers in fits.items()}, **values)

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:  # noqa: ARG003 - it is of all detectors
        """Make a blade that opens from 750 to 0 mm in 0.9 s."""
        jerk = 32920.0 + float(rng.normal(0.0, 10.0))
        seconds = np.array([0.2, 0.45, 0.7])
        mjd = 60822.0 + seconds / 86400.0
        tai = [f"2025-05-27T00:00:00.{int(1000 * s):03d}" for s in seconds]
        return cls(
            is_open=True,
            fits={"hallSensorFit": ShutterFit(0.0, 0.225, 0.677, jerk, -jerk, jerk)},
            fit_model="ThreeJerksModelv1",
            start_tai="2025-05-27T00:00:00.000",
            start_mjd=60822.0,
            start_position_mm=750.0,
            target_position_mm=0.0,
            end_position_mm=0.0,
            target_duration_ms=900,
            action_duration_ms=901,
            side="PLUSX",
            file_name="example.json",
            obs_id="MC_O_20250526_000095",
            time_tai=np.array(tai),
            time_mjd=mjd,
            position_mm=np.array([700.0, 375.0, 50.0]),
            hall_time_tai=np.array(tai[:2]),
            hall_time_mjd=mjd[:2],
            hall_position_mm=np.array([690.0, 380.0]),
            hall_sensor_id=np.array([11, 12], np.int32),
            hall_is_on=np.array([True, False]),
        )
