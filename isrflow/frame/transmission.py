"""How much light arrives: throughput by wavelength, and where it matters by place.

A transmission curve is a product of factors: atmosphere, optics, filter, sensor. Each is a table, the same everywhere
or by distance from the optical axis, and is kept as measured; only samples are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.errors import CalibrationError
from isrflow.frame.focal_plane import transform
from isrflow.kernels.transmission import Limits, sample_constant, sample_radial

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One table of throughput.

    Parameters
    ----------
    wavelengths
        (n,) Angstrom, strictly growing.
    throughput
        Fraction of the light: (n,) if it is the same everywhere, else (n, m) by distance from the optical axis.
    radii
        (m,) distance from the origin of the plane, strictly growing: millimetres if that is the focal plane. None if
        the throughput is the same everywhere.
    below, above
        Throughput at wavelengths shorter and longer than those of the table.
    to_plane
        2 x 3 matrix from the coordinates in which the curve is asked to those in which `radii` are measured; None if
        these are the same.

    Raises
    ------
    CalibrationError
        If shapes do not fit, numbers are not finite or the grid does not grow; all of it is listed.
    """

    wavelengths: Array
    throughput: Array
    radii: Array | None = None
    below: float = 0.0
    above: float = 0.0
    to_plane: Array | None = None

    def __post_init__(self) -> None:
        for name in ("wavelengths", "throughput", "radii", "to_plane"):
            value = getattr(self, name)
            if value is not None:
                array = np.array(value, np.float64)
                array.flags.writeable = False
                object.__setattr__(self, name, array)
        if problems := self._problems():
            raise CalibrationError(f"not a transmission curve: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        radii = np.zeros(0) if self.radii is None else self.radii
        problems = [
            f"{name} do not grow from one to the next"
            for name, grid in (("wavelengths", self.wavelengths), ("radii", radii))
            if grid.ndim != 1 or bool(np.any(~(np.diff(grid) > 0)))
        ]
        wanted = self.wavelengths.shape if self.radii is None else (*self.wavelengths.shape, *self.radii.shape)
        if self.throughput.shape != wanted or 0 in wanted:
            problems.append(f"throughput has shape {self.throughput.shape}, not {wanted}")
        for name in ("wavelengths", "throughput", "radii", "below", "above", "to_plane"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value).all():
                problems.append(f"{name} has values that are not finite")
        return problems

    def sample(self, points: Array, wavelengths: Array) -> Array:
        """Return the throughput at points (m, 2) and wavelengths (n,): (m, n)."""
        limits = Limits(self.below, self.above)
        if self.radii is None:
            curve = sample_constant(self.wavelengths, self.throughput, limits, wavelengths)
            return np.broadcast_to(curve, (len(points), wavelengths.size))
        in_plane = points if self.to_plane is None else transform(self.to_plane, points)
        radius = np.hypot(in_plane[:, 0], in_plane[:, 1])
        return sample_radial((self.wavelengths, self.radii), self.throughput, limits, radius, wavelengths)

    def seen_from(self, affine: Array) -> Factor:
        """Return the factor for coordinates that a 2 x 3 matrix takes to those it is for now."""
        if self.radii is None:
            return self
        inner = np.eye(2, 3) if self.to_plane is None else self.to_plane
        both = np.column_stack([inner[:, :2] @ affine[:, :2], inner[:, :2] @ affine[:, 2] + inner[:, 2]])
        return replace(self, to_plane=both)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TransmissionCurve:
    """The product of factors; without any, all light arrives."""

    factors: tuple[Factor, ...] = ()

    @classmethod
    def constant(cls, wavelengths: ArrayLike, throughput: ArrayLike, *, below: float = 0.0, above: float = 0.0) -> Self:
        """Return a curve that is the same everywhere; arguments as of `Factor`."""
        return cls((Factor(np.asarray(wavelengths), np.asarray(throughput), None, below, above),))

    @classmethod
    def radial(
        cls,
        wavelengths: ArrayLike,
        radii: ArrayLike,
        throughput: ArrayLike,
        *,
        below: float = 0.0,
        above: float = 0.0,
    ) -> Self:
        """Return a curve that depends on the distance from the origin; arguments as of `Factor`."""
        return cls((Factor(np.asarray(wavelengths), np.asarray(throughput), np.asarray(radii), below, above),))

    def __mul__(self, other: TransmissionCurve) -> TransmissionCurve:
        """Return the product; its samples are the products of the samples, multiplied from left to right."""
        return TransmissionCurve(self.factors + other.factors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TransmissionCurve) or len(self.factors) != len(other.factors):
            return False
        return all(_same(mine, theirs) for mine, theirs in zip(self.factors, other.factors, strict=True))

    __hash__ = None  # type: ignore[assignment] # arrays have none

    def __repr__(self) -> str:
        low, high = self.wavelength_bounds
        kinds = ", ".join("constant" if factor.radii is None else "radial" for factor in self.factors)
        return f"<TransmissionCurve {low:g} to {high:g} Angstrom: {kinds or 'all light'}>"

    @property
    def wavelength_bounds(self) -> tuple[float, float]:
        """Wavelengths in Angstrom beyond which the throughput does not change any more."""
        lows = [factor.wavelengths[0] for factor in self.factors]
        highs = [factor.wavelengths[-1] for factor in self.factors]
        dark_below = [factor.wavelengths[0] for factor in self.factors if factor.below == 0]
        dark_above = [factor.wavelengths[-1] for factor in self.factors if factor.above == 0]
        low = max([min(lows, default=-np.inf), *dark_below])
        high = min([max(highs, default=np.inf), *dark_above])
        return float(low), float(high)

    @property
    def throughput_at_bounds(self) -> tuple[float, float]:
        """Throughput at shorter and at longer wavelengths."""
        return (
            float(np.prod([factor.below for factor in self.factors])),
            float(np.prod([factor.above for factor in self.factors])),
        )

    def sample_at(self, points: ArrayLike, wavelengths: ArrayLike) -> Array:
        """Return the throughput at places and wavelengths.

        Parameters
        ----------
        points
            (..., 2), x then y: pixels for the curve of an exposure.
        wavelengths
            (n,) or a number, in Angstrom.

        Returns
        -------
        ndarray of float64
            (..., n), or (...) for a single wavelength.
        """
        places, at = np.asarray(points, np.float64), np.asarray(wavelengths, np.float64)
        flat = np.ones((places.size // 2, at.size))
        for factor in self.factors:
            flat = flat * factor.sample(places.reshape(-1, 2), at.reshape(-1))
        return flat.reshape((*places.shape[:-1], *at.shape))

    def seen_from(self, affine: Array) -> TransmissionCurve:
        """Return the curve for coordinates that a 2 x 3 matrix takes to those it is for now.

        ``curve.seen_from(pixels_to_focal_plane(detector))`` is the curve in pixels of one in focal-plane millimetres.
        """
        return TransmissionCurve(tuple(factor.seen_from(affine) for factor in self.factors))


def _same(a: Factor, b: Factor) -> bool:
    arrays = ("wavelengths", "throughput", "radii", "to_plane")
    pairs = [(getattr(a, name), getattr(b, name)) for name in arrays]
    same = all(x is y or (x is not None and y is not None and np.array_equal(x, y)) for x, y in pairs)
    return same and (a.below, a.above) == (b.below, b.above)
