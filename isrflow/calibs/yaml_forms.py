"""YAML as the reference writes it: its tags are read by a fixed set of constructors, nothing else is ever built.

Accepted besides plain YAML: ``!<lsst.daf.base.PropertyList>`` (a list of [key, type, value, comment]), Python tuples,
boxes and points of ``lsst.geom``, and pickled numpy arrays of numbers and text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import yaml

from isrflow.errors import CalibrationFileError
from isrflow.frame.box import Box

_PYTHON = "tag:yaml.org,2002:python/"
_PLAIN_DTYPES = frozenset("biufSU")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that knows the reference's tags."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """A safe dumper that writes the reference's tags."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - anchors make files hard to read
        return True


class PropertyList(dict[str, Any]):
    """Metadata to be written under the reference's tag."""


def load_yaml(text: str) -> dict[str, Any]:
    """Read YAML text that holds a mapping.

    Raises
    ------
    CalibrationFileError
        If it is not YAML, not a mapping, or has a tag outside the fixed set.
    """
    try:
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter of dates and numbers that cannot be
        raise CalibrationFileError(f"not YAML that a calibration can be read from: {error}") from error
    if not isinstance(tree, dict):
        raise CalibrationFileError(f"not a mapping but a {type(tree).__name__}")
    return tree


def dump_yaml(tree: Mapping[str, Any], *, tag_metadata: bool = True) -> str:
    """Write a tree as YAML the reference reads: metadata as a property list, boxes and shapes under its tags."""
    marked = dict(tree)
    if tag_metadata and isinstance(marked.get("metadata"), Mapping):
        marked["metadata"] = PropertyList(marked["metadata"])
    text: str = yaml.dump(marked, Dumper=_Dumper, default_flow_style=False, sort_keys=True)
    return text


# -- reading ----------------------------------------------------------------------------------------------------------


def _property_list(loader: Any, node: yaml.SequenceNode) -> dict[str, Any]:
    rows = loader.construct_sequence(node, deep=True)
    return {row[0]: row[2] for row in rows}


def _tuple(loader: Any, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


def _point(loader: Any, node: yaml.SequenceNode) -> tuple[int, int]:
    x, y = loader.construct_sequence(node, deep=True)
    return int(x), int(y)


def _box(loader: Any, node: yaml.SequenceNode) -> Box:
    (x0, y0), (x1, y1) = loader.construct_sequence(node, deep=True)
    return Box.from_bounds(x0, y0, x1 + 1, y1 + 1)  # the reference states the last pixel


def _ndarray_type(loader: Any, node: yaml.Node) -> str:  # noqa: ARG001
    return "ndarray"


def _dtype(loader: Any, node: yaml.MappingNode) -> np.dtype[Any]:
    parts = loader.construct_mapping(node, deep=True)
    code, order = str(parts["args"][0]), str(parts["state"][1])
    if code[:1] not in _PLAIN_DTYPES:
        raise yaml.constructor.ConstructorError(
            None, None, f"an array of {code!r} is not plain numbers", node.start_mark
        )
    return np.dtype(code).newbyteorder(">" if order == ">" else "<" if order == "<" else "=")


def _array(loader: Any, node: yaml.MappingNode) -> np.ndarray[Any, Any]:
    parts = loader.construct_mapping(node, deep=True)
    _, shape, dtype, is_fortran, data = parts["state"]
    if parts["args"][0] != "ndarray" or not isinstance(data, bytes):
        raise yaml.constructor.ConstructorError(None, None, "a pickled object that is no plain array", node.start_mark)
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
    return array.astype(dtype.newbyteorder("="))


def _scalar(loader: Any, node: yaml.SequenceNode) -> Any:
    dtype, data = loader.construct_sequence(node, deep=True)
    return np.frombuffer(data, dtype)[0].item()


def _construct(tag: str, constructor: Callable[[Any, Any], Any]) -> None:
    """Let the loader build what stands under a tag; what is no such thing is an error of the file."""

    def build(loader: Any, node: yaml.Node) -> Any:
        try:
            return constructor(loader, node)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"what stands under {tag} is none ({error})", node.start_mark
            ) from error

    _Loader.add_constructor(tag, build)


_construct("lsst.daf.base.PropertyList", _property_list)
_construct(f"{_PYTHON}tuple", _tuple)
_construct(f"{_PYTHON}object/apply:lsst.geom.Point2I", _point)
_construct(f"{_PYTHON}object/apply:lsst.geom.Box2I", _box)
_construct(f"{_PYTHON}name:numpy.ndarray", _ndarray_type)
_construct(f"{_PYTHON}object/apply:numpy.dtype", _dtype)
for _core in ("numpy._core", "numpy.core"):
    _construct(f"{_PYTHON}object/apply:{_core}.multiarray._reconstruct", _array)
    _construct(f"{_PYTHON}object/apply:{_core}.multiarray.scalar", _scalar)


# -- writing ----------------------------------------------------------------------------------------------------------


def _write_property_list(dumper: Any, properties: PropertyList) -> yaml.Node:
    rows = [[key, _type_name(value), value, ""] for key, value in properties.items()]
    node: yaml.Node = dumper.represent_sequence("lsst.daf.base.PropertyList", rows)
    return node


def _type_name(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return _type_name(value[0]) if value else "Undef"
    names = {bool: "Bool", int: "Int", float: "Double", str: "String", type(None): "Undef"}
    return names.get(type(value), "String")


def _write_tuple(dumper: Any, values: tuple[Any, ...]) -> yaml.Node:
    node: yaml.Node = dumper.represent_sequence(f"{_PYTHON}tuple", values)
    return node


class _Point(tuple[int, int]):
    __slots__ = ()


def _write_point(dumper: Any, point: _Point) -> yaml.Node:
    node: yaml.Node = dumper.represent_sequence(f"{_PYTHON}object/apply:lsst.geom.Point2I", list(point))
    return node


def _write_box(dumper: Any, box: Box) -> yaml.Node:
    corners = [_Point((box.x0, box.y0)), _Point((box.x1 - 1, box.y1 - 1))]
    node: yaml.Node = dumper.represent_sequence(f"{_PYTHON}object/apply:lsst.geom.Box2I", corners)
    return node


_Dumper.add_representer(PropertyList, _write_property_list)
_Dumper.add_representer(tuple, _write_tuple)
_Dumper.add_representer(_Point, _write_point)
_Dumper.add_representer(Box, _write_box)
