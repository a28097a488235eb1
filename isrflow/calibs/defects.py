"""Defects: the bad pixels of a detector, as boxes in trimmed coordinates.

Applied by setting BAD over each box. Looked up by instrument and detector. Boxes are kept as given; `normalised` paints
them and cuts the painting into disjoint boxes, bottom-up and left to right, so that overlaps are counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.calibs.boxes import boxes_of_mask, boxes_of_regions
from isrflow.calibs.forms import Form
from isrflow.calibs.identity import info_of
from isrflow.calibs.tabular import TableCalibration, column_error
from isrflow.errors import CalibrationError, CalibrationFileError
from isrflow.frame.box import Box
from isrflow.frame.camera import Detector

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS = ("x0", "y0", "width", "height")
_REGION_COLUMNS = frozenset({"X", "Y", "R", "SHAPE"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Defects(TableCalibration):
    """Boxes of bad pixels."""

    boxes: tuple[Box, ...] = ()
    """In trimmed detector coordinates (px), in the order of the file; they may overlap."""

    kind: ClassVar[str] = "defects"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")
    obs_type: ClassVar[str] = "defects"
    schema: ClassVar[str] = ""
    version: ClassVar[float] = 2.0
    reference_class: ClassVar[str] = "lsst.ip.isr.defects.Defects"
    reference_obs_types: ClassVar[frozenset[str]] = frozenset({"defects", "manual_defects"})
    forms: ClassVar[Mapping[str, Form]] = dict.fromkeys(("x0", "y0", "width", "height"), "numbers")
    unknown_cards: ClassVar[Literal["undefined", "empty", "absent"]] = "absent"

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_], **fields: Any) -> Self:
        """Cut the set pixels of a (ny, nx) mask, whose first pixel is (0, 0), into boxes."""
        return cls(boxes=boxes_of_mask(mask), **fields)

    def normalised(self) -> Self:
        """Return the same pixels as disjoint boxes in the reference's order."""
        return type(self)(info=self.info, boxes=normalise(self.boxes))

    def transposed(self) -> Self:
        """Return the same pixels with x and y exchanged, as disjoint boxes in the reference's order."""
        turned = (Box(box.y0, box.x0, box.height, box.width) for box in self.boxes)
        return type(self)(info=self.info, boxes=normalise(turned))

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return a new (ny, nx) mask of the bad pixels; what lies outside is cut off."""
        mask = np.zeros(shape, np.bool_)
        for box in self.boxes:
            mask[box.intersect(Box.of_shape(shape)).slices()] = True
        return mask

    def check(self) -> None:
        """Raise `CalibrationError` if a box is empty."""
        empty = [f"box {i} at ({box.x0}, {box.y0})" for i, box in enumerate(self.boxes) if box.is_empty]
        if empty:
            raise CalibrationError(f"{self.label}: empty boxes: {', '.join(empty)}")

    def _column(self, name: str) -> NDArray[np.int64]:
        return np.array([getattr(box, name) for box in self.boxes], np.int64)

    def to_tables(self) -> list[Table]:
        """Return one table of boxes."""
        from astropy.table import Table

        return [Table({name: self._column(name) for name in _COLUMNS}, meta=self.metadata())]

    @classmethod
    def from_tables(cls, tables: list[Table]) -> Self:
        """Make defects of a table of boxes or of FITS regions (one-based centres); raises `CalibrationFileError`."""
        table = tables[0]
        info = cls.info_from(table.meta)
        if table.colnames and set(table.colnames) >= _REGION_COLUMNS:
            return cls(info=info, boxes=boxes_of_regions(table))
        missing = [name for name in _COLUMNS if name not in table.colnames]
        if missing:
            raise CalibrationFileError(
                f"defects are a table of boxes (x0, y0, width, height) or of regions (X, Y, R, SHAPE): "
                f"{column_error(missing, table)}"
            )
        return cls(info=info, boxes=_boxes(*(np.asarray(table[name]) for name in _COLUMNS)))

    def to_regions(self) -> Table:
        """Return the boxes as a FITS region table: centres that count from one, sizes, no turns."""
        from astropy.table import Table

        sizes = np.array([(box.width, box.height) for box in self.boxes], np.float64).reshape(-1, 2)
        corners = np.array([(box.x0, box.y0) for box in self.boxes], np.float64).reshape(-1, 2)
        x, y = (corners + (sizes - 1.0) / 2.0 + 1.0).T
        columns = {
            "X": x,
            "Y": y,
            "SHAPE": np.array(["POINT" if box.area == 1 else "BOX" for box in self.boxes], "U5"),
            "R": sizes,
            "ROTANG": np.zeros(len(self.boxes)),
            "COMPONENT": np.arange(len(self.boxes), dtype=np.int32),
        }
        return Table(columns, meta=self.metadata() | {"EXTNAME": "REGION"})

    def to_tree(self) -> dict[str, Any]:
        """Return the boxes as four lists, beside the metadata."""
        return {"metadata": self.metadata()} | {name: self._column(name).tolist() for name in _COLUMNS}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Make defects of four lists; raises `CalibrationFileError`."""
        missing = [name for name in _COLUMNS if tree.get(name) is None]
        lengths = {name: len(tree[name]) for name in _COLUMNS if name not in missing}
        if missing or len(set(lengths.values())) > 1:
            raise CalibrationFileError(f"defects need lists of equal length: missing {missing}, lengths {lengths}")
        return cls(info=cls.info_from(tree), boxes=_boxes(*(tree[name] for name in _COLUMNS)))

    @classmethod
    def from_text(cls, text: str, name: str) -> Self:  # noqa: ARG003 - the lines say it all
        """Make defects of lines of four whole numbers x0 y0 width height; raises `CalibrationFileError`."""
        lines = [line.partition("#")[0].split() for line in text.splitlines()]
        wrong = [f"line {i}: {' '.join(words)!r}" for i, words in enumerate(lines, 1) if words and not _is_box(words)]
        if wrong:
            raise CalibrationFileError(f"defects as text are lines of x0 y0 width height; {'; '.join(wrong[:5])}")
        return cls(boxes=tuple(Box(*(int(word) for word in words)) for words in lines if words))

    @classmethod
    def example(cls, detector: Detector, rng: np.random.Generator) -> Self:
        """Make ten hot pixels and one bad column."""
        width, height = detector.box.width, detector.box.height
        points = {
            (int(x), int(y)) for x, y in zip(rng.integers(0, width, 10), rng.integers(0, height, 10), strict=True)
        }
        boxes = [Box(x, y, 1, 1) for x, y in sorted(points)]
        return cls(info=info_of(detector), boxes=normalise([*boxes, Box(width // 3, 0, 1, height // 2)]))


def normalise(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Return the pixels covered by boxes as disjoint boxes, cut bottom-up and left to right."""
    filled = [box for box in boxes if not box.is_empty]
    if not filled:
        return ()
    frame = filled[0]
    for box in filled:
        frame = frame.union(box)
    mask = np.zeros(frame.shape, np.bool_)
    for box in filled:
        mask[box.slices((frame.x0, frame.y0))] = True
    return tuple(box.shifted(frame.x0, frame.y0) for box in boxes_of_mask(mask))


def _boxes(x0: ArrayLike, y0: ArrayLike, width: ArrayLike, height: ArrayLike) -> tuple[Box, ...]:
    deep = [name for name, values in zip(_COLUMNS, (x0, y0, width, height), strict=True) if np.ndim(values) != 1]
    if deep:
        raise CalibrationFileError(f"defects have one number a row: {', '.join(deep)} have several")
    rows = list(zip(*(np.asarray(values).tolist() for values in (x0, y0, width, height)), strict=True))
    partial = [f"row {i}: {row}" for i, row in enumerate(rows) if not all(float(item).is_integer() for item in row)]
    if partial:
        raise CalibrationFileError(f"defects are boxes of whole pixels: {'; '.join(partial[:5])}")
    negative = [f"row {i}: {int(w)} x {int(h)}" for i, (_, _, w, h) in enumerate(rows) if w < 0 or h < 0]
    if negative:
        raise CalibrationFileError(f"defects of negative size: {'; '.join(negative)}")
    return tuple(Box(int(a), int(b), int(c), int(d)) for a, b, c, d in rows)


def _is_box(words: list[str]) -> bool:
    return len(words) == len(_COLUMNS) and all(word.lstrip("+-").isdigit() for word in words)
