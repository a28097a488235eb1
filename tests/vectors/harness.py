"""Running the reference vectors: what a vector holds, who covers it, and how its outputs are compared.

An adapter is a function from a `Vector` to what our code makes of its inputs ::

    @covers("lsst.afw.math.makeStatistics(MaskedImageF)", when=lambda params: not params["weighted"])
    def statistics_of_a_masked_image(vector: Vector) -> Outputs:
        ...
        return Outputs(scalars={"MEAN": ...}, out_image=...)

The function name is matched exactly, or as a beginning if it ends in ``*``; `when` sees the explicit parameters. A call
that is spelled with other arguments (``growMasks(mask, radius, ['CR'], 'CR')``) matches by its bare name, and of
several such adapters the one that is spelled most alike. Nothing else of the manifest decides, in particular no entry
name and no note. Every output the vector holds must be returned: one that is not makes the vector fail. Where we differ
on purpose (docs/compatibility.md) the adapter names the output and the condition in `Outputs.differs`; the condition
has to be computed from the inputs.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from isrflow.errors import ConfigError, StepError, UnprocessableError
from isrflow.frame.mask import remap_mask

RTOL = 5e-7
"""Float32 arithmetic in another order, relative."""
ULPS = 4
"""... plus so many last places of the largest intermediate."""

When = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Where:
    """A heading in docs/compatibility.md, and the pixels of an output it is about; the others are compared."""

    heading: str
    pixels: np.ndarray

    def __str__(self) -> str:
        return self.heading


class Outputs:
    """What our code made of a vector's inputs.

    Parameters
    ----------
    scalars
        Scalar outputs by their name in the manifest; nested mappings and lists are compared element by element.
    differs
        Output name (of an array, or of a scalar: ``result.residualMean[1]``) to the heading in docs/compatibility.md
        that says why it is not
        compared.
    largest
        Largest intermediate value, if it is neither an input nor an output.
    double
        Whether everything is computed in double precision, so that last places are those of float64.
    arrays
        Arrays by their name in the vector, ``out_...``; masks in our bits.
    """

    def __init__(
        self,
        *,
        scalars: Mapping[str, Any] | None = None,
        differs: Mapping[str, str | Where] | None = None,
        largest: float = 0.0,
        double: bool = False,
        **arrays: Any,
    ) -> None:
        self.scalars = dict(scalars or {})
        self.differs = dict(differs or {})
        self.largest = largest
        self.double = double
        self.arrays = arrays


@dataclass(frozen=True)
class Vector:
    """One entry of the manifest and its arrays."""

    name: str
    root: Path
    entry: Mapping[str, Any]
    planes: Mapping[str, int]

    @property
    def function(self) -> str:
        return self.entry["function"]

    @property
    def params(self) -> dict[str, Any]:
        return self.entry["params"]

    @property
    def scalars(self) -> dict[str, Any]:
        return self.entry.get("scalar_outputs") or {}

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.root / self.entry["file"]) as stored:
            return {name: stored[name] for name in self.entry["arrays"]}

    @cached_property
    def shared(self) -> dict[str, np.ndarray]:
        """The arrays of the shared input file, by their unprefixed names; inputs of the vector's own stand for them."""
        where = self.params["inputs_in_shared_file"]
        own = {name: array for name, array in self.arrays.items() if name.startswith("in_")}
        with np.load(self.root / where["file"]) as stored:
            found = {name: stored[name] for name in where["keys"]}
        return found | {name.removeprefix("in_").removesuffix("_used"): array for name, array in own.items()}

    def array(self, name: str) -> np.ndarray:
        """A copy of an array; masks come in our bits."""
        return self.in_our_bits(name, self.arrays[name]).copy()

    def in_our_bits(self, name: str, array: np.ndarray) -> np.ndarray:
        return remap_mask(array, self.planes) if "mask" in name and array.dtype.kind in "iu" else array

    def quoted(self) -> list[str]:
        """The names in quotes in the call as the vector spells it: ``SAT`` of ``fromMask(maskedImage, 'SAT')``."""
        return re.findall(r"'(\w+)'", self.function)

    def bits(self, planes: str | list[str]) -> int:
        from isrflow.frame.mask import add_mask_plane

        names = [planes] if isinstance(planes, str) else planes
        value = 0
        for name in names:
            value |= add_mask_plane(name)
        return value


@dataclass(frozen=True)
class Adapter:
    """A function that runs the vectors of some reference functions."""

    patterns: tuple[str, ...]
    when: When
    arrays_when: Callable[[frozenset[str]], bool]
    run: Callable[[Vector], Outputs]

    def fits(self, vector: Vector) -> bool:
        named = any(
            vector.function.startswith(pattern[:-1]) if pattern.endswith("*") else vector.function == pattern
            for pattern in self.patterns
        )
        return named and self._takes(vector)

    def likeness(self, vector: Vector) -> float:
        """Say how alike a pattern of the vector's bare function is spelled, between 0 (none is of it) and 1."""
        name = bare_name(vector.function)
        same = [pattern.rstrip("*") for pattern in self.patterns if bare_name(pattern) == name]
        if not same or not self._takes(vector):
            return 0.0
        return max(SequenceMatcher(None, pattern, vector.function).ratio() for pattern in same)

    def _takes(self, vector: Vector) -> bool:
        return self.when(vector.params) and self.arrays_when(frozenset(vector.entry["arrays"]))


def bare_name(function: str) -> str:
    """Strip a call of its module, arguments and remarks: ``growMasks`` of ``isrFunctions.growMasks(mask, 3) twice``."""
    text, before = function.rstrip("*"), ""
    while text != before:
        before, text = text, re.sub(r"\([^()]*(\)|$)|\[[^][]*(\]|$)", "", text)
    modules = "lsst|afw|math|meas|algorithms|ip|isr|isrFunctions|isrQa|vignette|overscan|brighterFatterKernel"
    text = re.sub(rf"^with |\b({modules})\.", "", text)
    return text.partition(" ")[0].strip(",;:")


_adapters: list[Adapter] = []


def covers(
    *patterns: str,
    when: When = lambda params: True,
    arrays_when: Callable[[frozenset[str]], bool] = lambda names: True,
) -> Callable[[Callable[[Vector], Outputs]], Any]:
    """Register an adapter for the reference functions of these names, explicit parameters and array names."""

    def register(run: Callable[[Vector], Outputs]) -> Callable[[Vector], Outputs]:
        _adapters.append(Adapter(patterns, when, arrays_when, run))
        return run

    return register


@lru_cache
def adapters() -> tuple[Adapter, ...]:
    """Import every ``adapters_*.py`` beside this file and return what they registered."""
    for path in sorted(Path(__file__).parent.glob("adapters_*.py")):
        importlib.import_module(f"tests.vectors.{path.stem}")
    return tuple(_adapters)


def adapter_for(vector: Vector) -> Adapter | None:
    fitting = [adapter for adapter in adapters() if adapter.fits(vector)]
    assert len(fitting) < 2, f"{vector.name}: covered twice, by {[each.run.__name__ for each in fitting]}"
    if fitting:
        return fitting[0]
    nearest = max(adapters(), key=lambda adapter: adapter.likeness(vector))
    return nearest if nearest.likeness(vector) else None


def vectors_root() -> Path | None:
    """The directory of vectors: ISRFLOW_VECTORS, else ``../shared/vectors`` beside the project if it exists."""
    named = os.environ.get("ISRFLOW_VECTORS")
    root = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "vectors"
    if named and not (root / "manifest.json").is_file():
        raise FileNotFoundError(f"ISRFLOW_VECTORS={named}: no manifest.json there")
    return root if (root / "manifest.json").is_file() else None


@lru_cache
def load_vectors() -> dict[str, Vector]:
    root = vectors_root()
    if root is None:
        return {}
    manifest = json.loads((root / "manifest.json").read_text())
    groups = manifest["mask_planes"]
    return {
        name: Vector(name, root, entry, groups.get(entry.get("mask_planes"), {}))
        for name, entry in manifest["entries"].items()
    }


@dataclass
class Comparison:
    """The differences found in one vector, and what was left out on purpose."""

    failures: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def run_vector(vector: Vector, adapter: Adapter) -> Comparison:
    """Run an adapter and compare every output of the vector."""
    raised = raised_by_reference(vector)
    if raised is not None:
        return _compare_raising(vector, adapter, raised)
    return compare(vector, adapter.run(vector))


def raised_by_reference(vector: Vector) -> str | None:
    """Name the exception class if the reference call raised one."""
    outcome = vector.scalars.get("outcome")
    found = vector.scalars.get("raised") or (outcome.get("raised") if isinstance(outcome, dict) else None)
    return found if isinstance(found, str) else None


KINDS_OF_ERROR: dict[str, Any] = {
    "LengthError": ValueError,
    "InvalidParameterError": (ValueError, LookupError),
    "NotFoundError": LookupError,
    "UnprocessableDataError": UnprocessableError,
}
"""Exceptions of the reference's own, and the kinds ours must have."""
UNKNOWN_SETTING = "Settings that cannot be"


def _compare_raising(vector: Vector, adapter: Adapter, raised: str) -> Comparison:
    import builtins

    kind = KINDS_OF_ERROR.get(raised) or getattr(builtins, raised, Exception)
    try:
        outputs = adapter.run(vector)
    except kind:
        return Comparison()
    except (ConfigError, ValidationError):
        return Comparison(left_out={"raised": UNKNOWN_SETTING})
    except StepError as error:
        if isinstance(error.__cause__, kind):
            return Comparison()
        raise
    if "raised" in outputs.differs:
        return Comparison(left_out={"raised": outputs.differs["raised"]})
    return Comparison([f"the reference raised {raised}, we returned"])


def compare(vector: Vector, outputs: Outputs) -> Comparison:
    """Compare outputs with those of the reference."""
    expected = {name: array for name, array in vector.arrays.items() if name.startswith("out_")}

    def tolerance_for(kept: Callable[[str], bool]) -> float:
        largest = max([_largest(array) for name, array in vector.arrays.items() if kept(name)] + [outputs.largest])
        return ULPS * float(np.spacing(np.float64(largest) if outputs.double else np.float32(largest)))

    tolerance = tolerance_for(lambda name: "variance" not in name)  # variances are squares, and no part of images
    for_variances = tolerance_for(lambda name: True)
    found = {
        name: _compare_array(vector, outputs, name, for_variances if "variance" in name else tolerance)
        for name in expected
    }
    wanted = {key: value for key, value in vector.scalars.items() if key != "outcome"}
    outcome = vector.scalars.get("outcome")
    if isinstance(outcome, dict) and outcome.get("returned") is not None:
        wanted["returned"] = outcome["returned"]
    found |= compare_scalars(wanted, outputs.scalars, tolerance)
    return _sort_out(found, outputs.differs)


def _sort_out(found: Mapping[str, str], differs: Mapping[str, str | Where]) -> Comparison:
    """Tell failures from differences on purpose; the latter only count where there is one."""
    result = Comparison()
    for name, reason in found.items():
        heading = next((differs[key] for key in (name, name.partition("[")[0]) if key in differs), None)
        if not reason:
            continue
        if heading is None:
            result.failures.append(f"{name}: {reason}")
        else:
            result.left_out[name] = str(heading)
    return result


def _compare_array(vector: Vector, outputs: Outputs, name: str, tolerance: float) -> str:
    """Say how an array differs; pixels left out on purpose count only if nothing else differs."""
    if name not in outputs.arrays:
        return "not returned by the adapter"
    ours, theirs = np.asarray(outputs.arrays[name]), vector.in_our_bits(name, vector.arrays[name])
    left_out = outputs.differs.get(name)
    if isinstance(left_out, Where) and ours.shape == theirs.shape:
        elsewhere = difference(np.where(left_out.pixels, theirs, ours), theirs, tolerance)
        if elsewhere:
            raise AssertionError(f"{name}: outside the pixels of {left_out.heading!r}: {elsewhere}")
    return difference(ours, theirs, tolerance)


def difference(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    """Say how two arrays differ, or nothing: integers and masks exactly, floats within RTOL and `tolerance`."""
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, expected {theirs.shape}"
    if theirs.dtype.kind not in "fc":
        wrong = ours != theirs
    else:
        wrong = ~np.isclose(ours, theirs, rtol=RTOL, atol=tolerance, equal_nan=True)
    if not np.any(wrong):
        return ""
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{np.count_nonzero(wrong)} of {wrong.size} differ, first at {first}: {ours[first]}, expected {theirs[first]}"
    )


def compare_scalars(wanted: Any, ours: Any, tolerance: float, where: str = "") -> dict[str, str]:
    """Compare nested scalars; the path of each that is wanted, and how it differs."""
    if isinstance(wanted, dict):
        found: dict[str, str] = {}
        for key, value in wanted.items():
            path = f"{where}.{key}" if where else str(key)
            if isinstance(ours, Mapping) and key in ours:
                found |= compare_scalars(value, ours[key], tolerance, path)
            else:
                found[path] = f"not returned by the adapter (expected {str(value)[:80]})"
        return found
    if isinstance(wanted, list):
        ours = list(ours) if isinstance(ours, (list, tuple, np.ndarray)) else ours
        if not isinstance(ours, list) or len(ours) != len(wanted):
            return {where: f"{str(ours)[:120]}, expected {str(wanted)[:120]}"}
        found = {}
        for i, (a, b) in enumerate(zip(wanted, ours, strict=True)):
            found |= compare_scalars(a, b, tolerance, f"{where}[{i}]")
        return found
    return {where: "" if _same_scalar(wanted, ours, tolerance) else f"{ours!r}, expected {wanted!r}"}


def _same_scalar(wanted: Any, ours: Any, tolerance: float) -> bool:
    if isinstance(wanted, bool) or wanted is None:
        return ours is None if wanted is None else bool(ours) == wanted
    number = number_or_none(wanted)
    if number is None:
        return str(wanted) == str(ours)
    mine = number_or_none(ours)
    if mine is None:
        return False
    return bool(np.isclose(mine, number, rtol=RTOL, atol=tolerance, equal_nan=True))


def number_or_none(value: Any) -> float | None:
    """Read a number, or one written as 'NaN', 'Infinity' or '-Infinity'."""
    if isinstance(value, str):
        return float(value) if value in {"NaN", "Infinity", "-Infinity"} else None
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return None


def _largest(array: np.ndarray) -> float:
    if array.dtype.kind not in "fiu" or array.size == 0:
        return 0.0
    finite = np.abs(array[np.isfinite(array)].astype(np.float64)) if array.dtype.kind == "f" else np.zeros(1)
    return float(finite.max()) if finite.size else 0.0
