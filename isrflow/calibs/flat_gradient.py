"""Flat gradient: how unevenly a flat-field source lights the focal plane, so that flats can be freed of it.

With r the distance from the centroid plus its offset: ``model = radial(r) / (1 + gx (x - cx) + gy (y - cy))``, times
`itl_ratio` on detectors of ITL. Focal-plane coordinates in mm; the model is relative. Makers of flats divide by it; no
step of a recipe uses it. Looked up by instrument and filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.base import CalibInfo
from isrflow.calibs.forms import Form
from isrflow.calibs.tabular import TableCalibration, missing_columns, missing_keys
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.camera import Detector
from isrflow.kernels.flat_gradient import plane, radial_profile

if TYPE_CHECKING:
    from astropy.table import Table

_SCALARS = {
    "itl_ratio": ("ITL_RATIO", "itlRatio"),
    "centroid_x_mm": ("CENTROID_X", "centroidX"),
    "centroid_y_mm": ("CENTROID_Y", "centroidY"),
    "centroid_delta_x_mm": ("CENTROID_DELTA_X", "centroidDeltaX"),
    "centroid_delta_y_mm": ("CENTROID_DELTA_Y", "centroidDeltaY"),
    "gradient_x_per_mm": ("GRADIENT_X", "gradientX"),
    "gradient_y_per_mm": ("GRADIENT_Y", "gradientY"),
    "normalization_factor": ("NORMALIZATION_FACTOR", "normalizationFactor"),
}
_VECTORS = {
    "radial_nodes_mm": ("RADIAL_SPLINE_NODES", "radialSplineNodes"),
    "radial_values": ("RADIAL_SPLINE_VALUES", "radialSplineValues"),
}
_FEWEST_NODES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class FlatGradient(TableCalibration):
    """A radial profile, and the plane it is divided by."""

    radial_nodes_mm: NDArray[np.float64]
    """(n,) increasing radii of the profile."""
    radial_values: NDArray[np.float64]
    """(n,) profile at the nodes."""
    itl_ratio: float = 1.0
    """Response of ITL detectors over that of the others."""
    centroid_x_mm: float = 0.0
    centroid_y_mm: float = 0.0
    """Where the plane is 1."""
    centroid_delta_x_mm: float = 0.0
    centroid_delta_y_mm: float = 0.0
    """Centre of the profile, as seen from the centroid."""
    gradient_x_per_mm: float = 0.0
    gradient_y_per_mm: float = 0.0
    normalization_factor: float = 1.0
    """Kept with the fit; the model does not use it."""

    kind: ClassVar[str] = "flat_gradient"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "physical_filter")
    obs_type: ClassVar[str] = "flatGradient"
    schema: ClassVar[str] = "FlatGradient"
    version: ClassVar[float] = 1.0
    reference_class: ClassVar[str] = "lsst.ip.isr.flatGradient.FlatGradient"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"flatGradient"})
    forms: ClassVar[Mapping[str, Form]] = {
        **dict.fromkeys((column for column, _ in (_VECTORS | _SCALARS).values()), "numbers"),
        **dict.fromkeys((key for _, key in _VECTORS.values()), "numbers"),
        **dict.fromkeys((key for _, key in _SCALARS.values()), "number"),
    }
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "empty"

    def radial(self, radius_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the profile at distances from its centre."""
        return radial_profile(self.radial_nodes_mm, self.radial_values, radius_mm)

    def radial_at(self, x_mm: ArrayLike, y_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the profile at places of the focal plane."""
        dx = np.asarray(x_mm, np.float64) - (self.centroid_x_mm + self.centroid_delta_x_mm)
        dy = np.asarray(y_mm, np.float64) - (self.centroid_y_mm + self.centroid_delta_y_mm)
        return self.radial(np.sqrt(dx**2 + dy**2))

    def gradient_at(self, x_mm: ArrayLike, y_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the plane at places of the focal plane."""
        centre = self.centroid_x_mm, self.centroid_y_mm
        return plane(x_mm, y_mm, centre, (self.gradient_x_per_mm, self.gradient_y_per_mm))

    def model_at(self, x_mm: ArrayLike, y_mm: ArrayLike, is_itl: ArrayLike = False) -> NDArray[np.float64]:
        """Return the relative illumination of places of the focal plane.

        Parameters
        ----------
        x_mm, y_mm
            Focal-plane coordinates, of any one shape.
        is_itl
            Whether each place is on a detector of ITL.
        """
        model = self.radial_at(x_mm, y_mm) / self.gradient_at(x_mm, y_mm)
        return np.asarray(np.where(is_itl, model * self.itl_ratio, model), np.float64)

    def check(self) -> None:
        """Raise `CalibrationError` if nodes do not increase, values do not match them or numbers are not finite."""
        nodes, values = self.radial_nodes_mm, self.radial_values
        problems = []
        if nodes.ndim != 1 or nodes.shape != values.shape or nodes.size < _FEWEST_NODES:
            problems.append(f"radial_nodes_mm {nodes.shape} and radial_values {values.shape} are not two equal lists")
        elif not np.isfinite(nodes).all() or (np.diff(nodes) <= 0).any():
            problems.append(f"radial_nodes_mm do not increase: {nodes.tolist()}")
        if not np.isfinite(values).all():
            problems.append("radial_values are not all finite")
        numbers = {name: getattr(self, name) for name in _SCALARS}
        problems += [f"{name} is {value}" for name, value in numbers.items() if not np.isfinite(value)]
        if problems:
            raise CalibrationError(f"{self.label}: {'; '.join(problems)}")

    def to_tables(self) -> list[Table]:
        """Return one row; numbers are lists of one."""
        from astropy.table import Table

        row = {column: [np.asarray(getattr(self, name))] for name, (column, _) in _VECTORS.items()}
        row |= {column: [np.array([getattr(self, name)])] for name, (column, _) in _SCALARS.items()}
        return [Table(row, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make a gradient of its table; raises `CalibrationFileError`."""
        table = tables[0]
        columns = {name: column for name, (column, _) in (_VECTORS | _SCALARS).items()}
        missing_columns(cls.kind, table, *columns.values())
        if len(table) != 1:
            raise CalibrationFileError(f"a flat gradient is one row, the table has {len(table)}")
        return cls._made(table.meta, {name: table[column][0] for name, column in columns.items()})

    def to_tree(self) -> dict[str, Any]:
        """Return the numbers under the reference's names."""
        tree: dict[str, Any] = {"metadata": self.metadata()}
        tree |= {key: getattr(self, name).tolist() for name, (_, key) in _VECTORS.items()}
        return tree | {key: float(getattr(self, name)) for name, (_, key) in _SCALARS.items()}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make a gradient of a tree; raises `CalibrationFileError`."""
        keys = {name: key for name, (_, key) in (_VECTORS | _SCALARS).items()}
        missing_keys(cls.kind, tree, *keys.values())
        return cls._made(tree, {name: tree[key] for name, key in keys.items()})

    @classmethod
    def _made(cls, source: Mapping[str, Any], values: Mapping[str, Any]) -> Self:
        vectors = {name: np.array(values[name], np.float64).ravel() for name in _VECTORS}
        scalars = {name: float(np.ravel(values[name])[0]) for name in _SCALARS}
        return cls(info=cls.info_from(source), **vectors, **scalars)  # type: ignore[arg-type] # by kind of field

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:  # noqa: ARG003 - it is of all detectors
        """Make a profile that falls off towards the edge, on a slight gradient."""
        nodes = np.linspace(0.0, 400.0, 6)
        return cls(
            info=CalibInfo(physical_filter="r"),
            radial_nodes_mm=nodes,
            radial_values=1.03 - 0.4 * (nodes / 400.0) ** 4 + rng.normal(0.0, 1e-3, nodes.size),
            centroid_x_mm=1.0,
            gradient_x_per_mm=1e-5,
        )
