"""The camera: detectors, amplifiers, filters, and where its headers keep what isrflow needs.

A camera is one YAML file (the *instrument door*); these models are its schema, so an unknown key or an impossible box
is refused with its place in the file. Geometry speaks x then y, zero-based; boxes may be written as
``[x0, y0, width, height]`` or as FITS sections ``"[1:512,1:2048]"``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from isrflow.errors import ConfigError, GeometryError
from isrflow.frame.box import Box

ReadoutCorner = Literal["LL", "LR", "UL", "UR"]


def _to_box(value: Any) -> Any:
    if isinstance(value, str):
        section = Box.parse(value)
        if section.flip_x or section.flip_y:
            raise ValueError(f"section {value!r} runs backwards; say raw_flip_x / raw_flip_y instead")
        return section.box
    if isinstance(value, (list, tuple)) and len(value) == 4:
        return Box(*(int(number) for number in value))
    return value


BoxField = Annotated[
    Box,
    BeforeValidator(_to_box),
    PlainSerializer(lambda box: [box.x0, box.y0, box.width, box.height], return_type=list),
]
EMPTY_BOX = Box(0, 0, 0, 0)

# One NaN object for all, so that two cameras with the same unknown levels compare equal.
LevelField = Annotated[float, AfterValidator(lambda level: math.nan if math.isnan(level) else level)]


def _with_text_keys(value: Any) -> Any:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else value


def _with_text_values(value: Any) -> Any:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else value


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        ignored_types=(cached_property,),
    )


class Amplifier(_Model):
    """One readout channel: where its pixels are, raw and assembled, and how it converts electrons."""

    name: str
    box: BoxField
    """Its place in the assembled (trimmed) detector."""
    raw: BoxField
    """The whole segment, in coordinates of the raw mosaic."""
    raw_data: BoxField
    """The light-sensitive pixels in the raw mosaic."""
    raw_serial_overscan: BoxField = EMPTY_BOX
    raw_parallel_overscan: BoxField = EMPTY_BOX
    raw_serial_prescan: BoxField = EMPTY_BOX
    raw_flip_x: bool = False
    """Whether x runs backwards from raw to assembled."""
    raw_flip_y: bool = False
    raw_xy_offset: tuple[int, int] = (0, 0)
    """Shift (x, y) of the segment when assembled without trimming."""
    readout_corner: ReadoutCorner = "LL"
    """The corner of the assembled segment nearest to the output node."""
    gain_electron_per_adu: float = 1.0
    read_noise_electron: float = 0.0
    saturation_adu: LevelField = math.nan
    """Raw level at which pixels are saturated; NaN: unknown."""
    suspect_level_adu: LevelField = math.nan
    """Raw level above which pixels are suspect; NaN: none."""
    linearity_type: str = "None"
    linearity_coefficients: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _boxes_fit(self) -> Self:
        wrong = [
            f"{name} {list(box.shape)[::-1]} px at ({box.x0}, {box.y0}) is outside raw {self.raw.section()}"
            for name in ("raw_data", "raw_serial_overscan", "raw_parallel_overscan", "raw_serial_prescan")
            if not self.raw.contains(box := getattr(self, name))
        ]
        if self.box.shape != self.raw_data.shape:
            wrong.append(f"box {self.box.section()} and raw_data {self.raw_data.section()} differ in size")
        if wrong:
            raise ValueError(f"amplifier {self.name}: " + "; ".join(wrong))
        return self


class RawHdu(_Model):
    """One HDU of a raw file and where its first pixel lies in the raw mosaic."""

    hdu: str | int
    """EXTNAME or index."""
    x0: int = 0
    y0: int = 0


class Detector(_Model):
    """One sensor with its amplifiers."""

    id: int
    name: str
    serial: str = ""
    physical_type: str = "CCD"
    """E2V, ITL, ... : chooses sensor-specific masks."""
    box: BoxField
    """The assembled detector; its origin is (0, 0)."""
    amplifiers: tuple[Amplifier, ...] = Field(min_length=1)
    raw_hdus: tuple[RawHdu, ...] = ()
    """HDUs that make up the raw mosaic; empty: the first image HDU is the mosaic."""
    focal_plane_x_mm: float = 0.0
    """Centre of the detector in the focal plane."""
    focal_plane_y_mm: float = 0.0
    pixel_size_mm: float = 0.015
    rotation_deg: float = 0.0

    @model_validator(mode="after")
    def _amplifiers_fit(self) -> Self:
        wrong = [
            f"amplifier {amp.name} box {amp.box.section()} is outside the detector {self.box.section()}"
            for amp in self.amplifiers
            if not self.box.contains(amp.box)
        ]
        names = [amp.name for amp in self.amplifiers]
        wrong += [f"amplifier name {name} is used twice" for name in sorted({n for n in names if names.count(n) > 1})]
        for attribute in ("box", "raw"):
            boxes = [(amp.name, getattr(amp, attribute)) for amp in self.amplifiers]
            wrong += [
                f"amplifiers {a} and {b} overlap in {attribute}"
                for i, (a, box_a) in enumerate(boxes)
                for b, box_b in boxes[i + 1 :]
                if box_a.overlaps(box_b)
            ]
        if wrong:
            raise ValueError(f"detector {self.name}: " + "; ".join(wrong))
        return self

    @cached_property
    def raw_box(self) -> Box:
        """The raw mosaic: the smallest box from (0, 0) that holds all raw segments."""
        box = Box(0, 0, 0, 0)
        for amp in self.amplifiers:
            box = box.union(amp.raw)
        return Box.from_bounds(0, 0, box.x1, box.y1)

    def amplifier(self, name: str) -> Amplifier:
        """Return the amplifier of that name.

        Raises
        ------
        GeometryError
            If there is none; the known names are listed.
        """
        for amp in self.amplifiers:
            if amp.name == name:
                return amp
        known = ", ".join(amp.name for amp in self.amplifiers)
        raise GeometryError(f"detector {self.name} has no amplifier {name!r} (it has {known})")


class Filter(_Model):
    """A physical filter and the band it belongs to."""

    name: str
    band: str = ""


class Site(_Model):
    """Where the telescope stands, and when its day begins."""

    name: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    elevation_m: float | None = None
    day_rollover_hours: float = 12.0
    """The observing day changes this many hours after 00:00 UTC: a night belongs to the day on which it began."""


class HeaderRule(_Model):
    """Where a property is found in raw headers: the first of `cards` present, then `values` as a translation table."""

    cards: tuple[str, ...] = ()
    values: Annotated[Mapping[str, Any], BeforeValidator(_with_text_keys)] = Field(default_factory=dict)
    """Header value (as text, compared without case) to ours; a value not listed is taken as it is."""
    default: Any = None
    """Used when no card is present; None makes the property missing."""


def _to_rule(value: Any) -> Any:
    if isinstance(value, str):
        return {"cards": (value,)}
    if isinstance(value, list):
        return {"cards": tuple(value)}
    return value


HeaderRuleField = Annotated[HeaderRule, BeforeValidator(_to_rule)]


class Camera(_Model):
    """An instrument: its detectors, filters, header map, site, and the recipe settings it needs."""

    name: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    """Other names under which files made elsewhere speak of this instrument."""
    detectors: tuple[Detector, ...] = Field(min_length=1)
    filters: tuple[Filter, ...] = ()
    site: Site = Site()
    recognise: Annotated[Mapping[str, str], BeforeValidator(_with_text_values)] = Field(default_factory=dict)
    """Header cards and the values (without case) that show a raw is this instrument's."""
    headers: Mapping[str, HeaderRuleField] = Field(default_factory=dict)
    """Property (a field of `Observation`, or ``detector``) to header rule."""
    recipe: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the recipe that differ from the defaults for this instrument; ``recipe: lsst`` among them says that
    they are those of the newer order."""
    recipe_lsst: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the newer order, where that is asked for and `recipe` is about the classic one."""

    @model_validator(mode="after")
    def _detectors_differ(self) -> Self:
        for what in ("id", "name"):
            values = [getattr(detector, what) for detector in self.detectors]
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"detector {what} used twice: {', '.join(twice)}")
        return self

    def is_called(self, name: str) -> bool:
        """Whether this is a name or alias of the instrument, in any case."""
        return name.lower() in {self.name.lower(), *(alias.lower() for alias in self.aliases)}

    def detector(self, key: int | str) -> Detector:
        """Return the detector of that id, name or serial.

        Raises
        ------
        GeometryError
            If there is none; the known ones are listed.
        """
        for detector in self.detectors:
            if key in (detector.id, detector.name) or (key and str(key) in (detector.serial, str(detector.id))):
                return detector
        known = ", ".join(f"{detector.id} ({detector.name})" for detector in self.detectors)
        raise GeometryError(f"camera {self.name} has no detector {key!r} (it has {known})")

    def band_of(self, physical_filter: str | None) -> str | None:
        """Return the band of a physical filter, or None if the camera does not list it."""
        return next((item.band for item in self.filters if item.name == physical_filter), None)


def shipped_cameras() -> list[str]:
    """Return the names of the instruments that come with isrflow."""
    folder = files("isrflow") / "instruments"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_camera(name_or_path: str | Path) -> Camera:
    """Read a camera by the name of a shipped instrument, or from a YAML file.

    Raises
    ------
    ConfigError
        If there is no such instrument or file, or it does not describe a camera; all mistakes are listed, with places.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise ConfigError(f"no instrument file {path}")
        return camera_from_yaml(path.read_text(encoding="utf-8"), str(path))
    if str(name_or_path) not in shipped_cameras():
        raise ConfigError(
            f"no instrument named {str(name_or_path)!r}; isrflow ships {', '.join(shipped_cameras())}",
            fix="name one of these, or give a YAML file of your own (docs/instruments.md says how)",
        )
    text = (files("isrflow") / "instruments" / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    return camera_from_yaml(text, f"instrument {name_or_path}")


def camera_from_yaml(text: str, where: str = "camera") -> Camera:
    """Make a camera from YAML text; `where` names the text in error messages.

    Keys that begin with a dot hold anchors to be reused and are otherwise ignored.

    Raises
    ------
    ConfigError
        If the text is not YAML or not a camera; every mistake is listed with its place.
    """
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{where} is not a mapping with `name` and `detectors`")
    try:
        return Camera.model_validate({key: value for key, value in tree.items() if not str(key).startswith(".")})
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"{where} does not describe a camera:\n" + "\n".join(lines)) from error


def camera_to_yaml(camera: Camera) -> str:
    """Write a camera as YAML text that `camera_from_yaml` reads back to an equal camera."""
    return yaml.safe_dump(camera.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)
