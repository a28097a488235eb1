"""The exposure: three planes of pixels and what is known about them.

Steps change an exposure in place. Views share memory with the exposure they were taken from; nothing here copies pixels
unless its name says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.history import HistoryEntry
from isrflow.frame.obs import Observation
from isrflow.frame.polygon import Polygon
from isrflow.frame.transmission import TransmissionCurve
from isrflow.frame.zero_point import ZeroPoint

Unit = Literal["adu", "electron"]
Region = Literal["data", "raw", "serial_overscan", "parallel_overscan", "serial_prescan"]


@dataclass(slots=True, repr=False)
class Exposure:
    """A picture: image, mask and variance planes with their circumstances.

    Parameters
    ----------
    image
        (ny, nx); uint16 or int32 as read, float32 after conversion. Owned by the exposure.
    mask
        (ny, nx) int32 bit planes (see `isrflow.frame.mask`), or None before conversion.
    variance
        (ny, nx) float32 in `unit` squared, or None before conversion.
    unit
        ``adu`` or ``electron``.
    xy0
        Coordinates (x, y) of the first pixel.
    detector
        The sensor, or None for a bare image.
    obs
        The circumstances of the exposure.
    assembled
        Whether the amplifiers have been put together. It matters only for detectors without overscan, whose raw mosaic
        and assembled picture cover the same pixels: there None counts as true. Conversion sets it false for what has
        no mask yet, assembly true.
    header
        Card name to value, in order. Cards under ``LSST ISR ...`` carry the numbers users of the reference look for.
    """

    image: NDArray[Any]
    mask: NDArray[np.int32] | None = None
    variance: NDArray[np.float32] | None = None
    unit: Unit = "adu"
    xy0: tuple[int, int] = (0, 0)
    detector: Detector | None = None
    obs: Observation = field(default_factory=Observation)
    header: dict[str, Any] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)
    assembled: bool | None = None
    wcs: Any = None
    """An `astropy.wcs.WCS` in the exposure's own coordinates (array index plus `xy0`), or None; trimming moves it."""
    zero_point: ZeroPoint | None = None
    valid_polygon: Polygon | None = None
    """The part of the detector that light reaches, in the exposure's own coordinates; None: not known, take all."""
    transmission: TransmissionCurve | None = None
    """Throughput by wavelength (Angstrom) and place in the exposure's own coordinates."""

    def __post_init__(self) -> None:
        if self.image.ndim != 2:
            raise GeometryError(f"an exposure's image has two dimensions (ny, nx), not shape {self.image.shape}")
        for name in ("mask", "variance"):
            plane = getattr(self, name)
            if plane is not None and plane.shape != self.image.shape:
                raise GeometryError(f"{name} plane {plane.shape} and image {self.image.shape} differ in shape (ny, nx)")

    def __repr__(self) -> str:
        ny, nx = self.image.shape
        planes = "" if self.mask is None or self.variance is None else ", mask, variance"
        return f"<Exposure {self.label}: {nx} x {ny} px {self.image.dtype}{planes}, {self.unit}>"

    @property
    def box(self) -> Box:
        """The pixels held, in the exposure's own coordinates."""
        return Box.of_shape(self.image.shape).shifted(*self.xy0)

    @property
    def is_trimmed(self) -> bool:
        """Whether the image is the assembled detector (and not the raw mosaic)."""
        if self.detector is None or self.box != self.detector.box:
            return False
        return self.assembled is not False or self.detector.raw_box != self.detector.box

    @property
    def label(self) -> str:
        """Name the exposure and detector for messages."""
        name = "exposure" if self.obs.exposure_id is None else f"exposure {self.obs.exposure_id}"
        return name if self.detector is None else f"{name} detector {self.detector.name}"

    def view(self, box: Box) -> Exposure:
        """Return the part inside `box` (in the exposure's coordinates), sharing pixels, header and history.

        Raises
        ------
        GeometryError
            If the box reaches outside the image.
        """
        if not self.box.contains(box):
            raise GeometryError(f"{self.label}: box {box.section()} reaches outside the image {self.box.section()}")
        part = box.slices(self.xy0)
        return replace(
            self,
            image=self.image[part],
            mask=None if self.mask is None else self.mask[part],
            variance=None if self.variance is None else self.variance[part],
            xy0=(box.x0, box.y0),
        )

    def amp(self, amplifier: Amplifier, region: Region = "data") -> Exposure:
        """Return a view of one region of an amplifier.

        ``data`` is the amplifier's box in a trimmed image and its light-sensitive pixels in a raw mosaic.

        Raises
        ------
        GeometryError
            If the region is not in the image (an overscan of a trimmed image, say).
        """
        return self.view(self.amp_box(amplifier, region))

    def amp_box(self, amplifier: Amplifier, region: Region = "data") -> Box:
        """Return the box of a region of an amplifier in this exposure's coordinates.

        Raises
        ------
        GeometryError
            If a raw region is asked of a trimmed image.
        """
        if region == "data":
            return amplifier.box if self.is_trimmed else amplifier.raw_data
        if self.is_trimmed:
            raise GeometryError(
                f"{self.label} amplifier {amplifier.name}: a trimmed image has no {region.replace('_', ' ')}"
            )
        boxes: dict[str, Box] = {
            "raw": amplifier.raw,
            "serial_overscan": amplifier.raw_serial_overscan,
            "parallel_overscan": amplifier.raw_parallel_overscan,
            "serial_prescan": amplifier.raw_serial_prescan,
        }
        return boxes[region]

    def planes(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
        """Return image, mask and variance of a converted exposure.

        Raises
        ------
        GeometryError
            If the exposure is still as read; convert it first.
        """
        if self.mask is None or self.variance is None:
            raise GeometryError(
                f"{self.label} is still as read ({self.image.dtype}, no mask or variance)",
                fix="run isrflow.steps.convert.convert_to_float on it first",
            )
        return self.image, self.mask, self.variance

    def copy(self) -> Exposure:
        """Return an exposure of its own: pixels, header and history are copied, the rest is shared."""
        return replace(
            self,
            image=self.image.copy(),
            mask=None if self.mask is None else self.mask.copy(),
            variance=None if self.variance is None else self.variance.copy(),
            header=dict(self.header),
            history=list(self.history),
        )
