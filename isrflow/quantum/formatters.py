"""How each kind of dataset is written to and read from a file, for a registry that knows no formats.

Nothing heavy is imported before a file is touched: listing a repository must not cost an import of astropy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from isrflow.errors import NotAnExposureError
from isrflow.frame.camera import Camera, camera_from_yaml, camera_to_yaml

if TYPE_CHECKING:
    from isrflow.frame.compress import Compression
    from registry.butler import Formatter


def formatters_for(camera: Callable[[], Camera], compression: Compression = "none") -> Mapping[str, Formatter]:
    """Return the formatters of a repository.

    Parameters
    ----------
    camera
        Called when a raw file is first read.
    compression
        Of products; what other quanta read is never rounded.
    """
    return _Formatters(
        {
            "raw": RawFormatter(camera),
            "camera": CameraFormatter(),
            "exposure": ExposureFormatter(compression),
            "intermediate": ExposureFormatter("mask"),
            "statistics": JsonFormatter(),
            "thumbnail": ThumbnailFormatter(),
        }
    )


class _Formatters(Mapping[str, "Formatter"]):
    """The fixed formats, and one for every row of the table of calibration kinds."""

    def __init__(self, fixed: Mapping[str, Formatter]) -> None:
        self._fixed = fixed

    def __getitem__(self, name: str) -> Formatter:
        if name in self._fixed:
            return self._fixed[name]
        from isrflow.calibs.kinds import KINDS

        if name not in KINDS:
            raise KeyError(name)
        return CalibrationFormatter(name)

    def __iter__(self) -> Iterator[str]:
        from isrflow.calibs.kinds import KINDS

        yield from self._fixed
        yield from KINDS

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True)
class RawFormatter:
    """Raw frames as the camera wrote them; they are only ever read."""

    camera: Callable[[], Camera]
    extension: str = ".fits"

    def write(self, value: Any, path: Path) -> str:  # noqa: ARG002
        """Refuse: a raw frame is ingested, never made."""
        raise NotAnExposureError(f"raw frames are not written ({path.name})", fix="isrflow ingest FILES")

    def read(self, path: Path) -> Any:
        """Return the raw mosaic as an exposure of the repository's camera."""
        from isrflow.frame.raw import read_raw

        return read_raw(path, self.camera())

    def content_sha256(self, path: Path) -> str:
        """Return the hash of pixels and headers."""
        from isrflow.frame.content import content_sha256

        return content_sha256(path)


@dataclass(slots=True)
class CameraFormatter:
    """Descriptions of a camera, as YAML."""

    extension: str = ".yaml"

    def write(self, value: Any, path: Path) -> str:
        """Write the camera and return the hash of its model."""
        path.write_text(camera_to_yaml(value), encoding="utf-8")
        return camera_digest(value)

    def read(self, path: Path) -> Any:
        """Return the camera."""
        return camera_from_yaml(path.read_text(encoding="utf-8"), str(path))

    def content_sha256(self, path: Path) -> str:
        """Return the hash of the camera's model."""
        return camera_digest(self.read(path))


@dataclass(slots=True)
class ExposureFormatter:
    """Corrected exposures, as FITS with image, mask and variance."""

    compression: Compression = "none"
    extension: str = ".fits"

    def write(self, value: Any, path: Path) -> str:
        """Write the exposure with its header and history and return the hash of pixels and cards."""
        from isrflow.frame.fits import write_exposure

        return write_exposure(value, path, compression=self.compression)

    def read(self, path: Path) -> Any:
        """Return the exposure."""
        from isrflow.frame.fits import read_exposure

        return read_exposure(path)

    def content_sha256(self, path: Path) -> str:
        """Return the hash of pixels and cards."""
        from isrflow.frame.content import content_sha256

        return content_sha256(path)


@dataclass(slots=True)
class CalibrationFormatter:
    """One kind of calibration, as FITS."""

    kind: str
    extension: str = ".fits"

    def write(self, value: Any, path: Path) -> str:
        """Write the calibration and return the hash of its content."""
        from isrflow.calibs.files import write_calibration

        return write_calibration(value, path)

    def read(self, path: Path) -> Any:
        """Return the calibration."""
        from isrflow.calibs.files import read_calibration

        return read_calibration(self.kind, path)

    def content_sha256(self, path: Path) -> str:
        """Return the hash of pixels, tables and cards."""
        from isrflow.frame.content import content_sha256

        return content_sha256(path)


@dataclass(slots=True)
class JsonFormatter:
    """Numbers about an exposure, as JSON with sorted keys."""

    extension: str = ".json"

    def write(self, value: Any, path: Path) -> str:
        """Write the values and return the hash of the text."""
        text = json.dumps(value, sort_keys=True, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
        return self.content_sha256(path)

    def read(self, path: Path) -> Any:
        """Return the values."""
        return json.loads(path.read_text(encoding="utf-8"))

    def content_sha256(self, path: Path) -> str:
        """Return the hash of the text."""
        return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(slots=True)
class ThumbnailFormatter:
    """Small pictures, as PNG."""

    extension: str = ".png"

    def write(self, value: Any, path: Path) -> str:
        """Write a (ny, nx, 3) uint8 picture and return the hash of its pixels."""
        from isrflow.quantum.png import write_png

        write_png(value, path)
        return self.content_sha256(path)

    def read(self, path: Path) -> Any:
        """Return the picture as a (ny, nx, 3) uint8 array."""
        from isrflow.quantum.png import read_png

        return read_png(path)

    def content_sha256(self, path: Path) -> str:
        """Return the hash of shape and pixels."""
        pixels = self.read(path)
        return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def camera_digest(camera: Camera) -> str:
    """Return the hash of everything a camera says."""
    text = json.dumps(camera.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def statistics_values(statistics: object) -> dict[str, Any]:
    """Return a by-product of plain numbers as JSON values; NaN becomes null."""
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(statistics), type(statistics)
    return plain_values(asdict(cast("Any", statistics)))


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested numbers as JSON values; NaN and the infinities become null."""
    return cast("dict[str, Any]", _plain(values))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124 - NaN
        return None
    return value
