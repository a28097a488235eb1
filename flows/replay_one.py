"""Making one dataset again of what was recorded, in a scratch place, and saying whether it came out the same.

Nothing is resolved anew: inputs, calibrations, configuration and what was noted of the raws are those that the
registry (or a capsule) recorded. What people certified, corrected or flagged since then makes no difference.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NoReturn, Protocol, cast

from flows.replay_compare import Difference, compare_files
from flows.tasks import TASKS
from isrflow.quantum.context import QuantumContext
from isrflow.quantum.environment import differences, environment
from isrflow.quantum.formatters import formatters_for
from isrflow.quantum.types import dataset_types
from registry.datastore.base import file_fingerprint
from registry.errors import RegistryError
from registry.refs import DatasetRef, QuantumInputs

Verdict = Literal["reproduced", "differs", "impossible"]


class Reader(Protocol):
    """Where recorded inputs are read from: a repository, or a capsule."""

    def get(self, ref: DatasetRef) -> object:
        """Return the value of a dataset."""

    def path(self, ref: DatasetRef) -> Path:
        """Return where its file is; `RegistryError` if it is gone or has another size."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of making a dataset again."""

    ref: DatasetRef
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """By how much it differs, or what is gone."""
    differences: tuple[Difference, ...] = ()
    remarks: tuple[str, ...] = ()
    """What is different now without having mattered, or possibly having: the software, a file that was touched."""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "dataset": str(self.ref.id),
            "type": self.ref.type,
            "run": self.ref.run,
            "data_id": self.ref.data_id.to_dict(),
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "differences": [difference.to_dict() for difference in self.differences],
            "remarks": list(self.remarks),
            "seconds": self.seconds,
        }

    def render(self) -> str:
        """Return it as text."""
        lines = [f"{self.verdict}: {self.ref}", *(f"  {reason}" for reason in self.reasons)]
        lines += [f"  {difference}" for difference in self.differences]
        return "\n".join([*lines, *(f"  note: {remark}" for remark in self.remarks)])


def replay_outputs(reader: Reader, inputs: QuantumInputs, outputs: Sequence[DatasetRef]) -> list[Replayed]:
    """Do the work of a quantum again and compare what comes out with what it gave then.

    Parameters
    ----------
    reader
        Where the recorded inputs, and the products to compare with, are read.
    inputs
        What the registry recorded of the quantum.
    outputs
        Those of its products that shall be compared.

    Returns
    -------
    list of Replayed
        One for each of `outputs`.
    """
    started = time.perf_counter()
    remarks = tuple(differences(inputs.software, environment()))
    obstacles = _obstacles(reader, inputs)
    values: Mapping[str, Any] = {}
    if not obstacles:
        values, obstacles = _do_again(reader, inputs)
    if obstacles:
        seconds = time.perf_counter() - started
        return [Replayed(ref, "impossible", tuple(obstacles), (), remarks, seconds) for ref in outputs]
    formatters = formatters_for(no_camera, _compression(inputs.config))
    formats = {row.name: row.formatter for row in dataset_types()}
    results = []
    with TemporaryDirectory(prefix="isrflow-replay-") as folder:
        for ref in outputs:
            formatter = formatters[formats[ref.type]]
            judged = _judge(reader, ref, values.get(ref.type), formatter, Path(folder))
            results.append(replace(judged, remarks=(*judged.remarks, *remarks), seconds=time.perf_counter() - started))
    return results


def _obstacles(reader: Reader, inputs: QuantumInputs) -> list[str]:
    """Return what is gone, or not what it was, of all that went in."""
    found = []
    if inputs.quantum.task not in TASKS:
        found.append(f"this version of isrflow has no task {inputs.quantum.task!r}")
    for role, ref in {**inputs.data, **inputs.calibs}.items():
        try:
            sha256 = _sha256(reader.path(ref))
        except RegistryError as error:
            found.append(f"{role}: {error}" + (f" (try: {error.fix})" if error.fix else ""))
        except OSError as error:
            found.append(f"{role}: {ref} cannot be read: {error.strerror or error}")
        else:
            if ref.sha256 is not None and sha256 != ref.sha256:
                was, now = ref.sha256[:12], sha256[:12]
                found.append(f"{role}: the file of {ref} was changed: its SHA-256 is {now} instead of {was}")
    return found


def _sha256(path: Path) -> str:
    """Return the hash of a file; quanta of a night share calibrations, and each is read once for it."""
    status = path.stat()
    return _sha256_of(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=4096)
def _sha256_of(path: Path, *_as_it_is: int) -> str:
    return file_fingerprint(path).sha256


def _do_again(reader: Reader, inputs: QuantumInputs) -> tuple[Mapping[str, Any], list[str]]:
    """Return what the task gives, or why it cannot be done any more."""
    task = TASKS[inputs.quantum.task]
    context = QuantumContext(cast("Any", reader), inputs, task.outputs)
    try:
        task.function(context)
    except Exception as error:  # noqa: BLE001 - whatever it is: then it worked, now it does not, and that is the answer
        return {}, [f"{inputs.quantum.task} failed now: {type(error).__name__}: {error}"]
    return context.outputs, []


def _judge(reader: Reader, ref: DatasetRef, value: object, formatter: Any, folder: Path) -> Replayed:
    if value is None:
        return Replayed(ref, "differs", (f"no {ref.type} came out this time",))
    made = folder / f"{ref.type}{formatter.extension}"
    content = formatter.write(value, made)
    if content == ref.content_sha256:
        return Replayed(ref, "reproduced", remarks=_touched(reader, ref))
    try:
        stored = reader.path(ref)
        found = compare_files(stored, made)
        is_the_one = formatter.content_sha256(stored) == ref.content_sha256
    except (RegistryError, OSError, ValueError) as error:
        return Replayed(ref, "differs", (f"the content is another; by how much cannot be said: {error}",))
    if not is_the_one:
        why = f"the content is another, and the file was changed too: isrflow verify --full ({ref.path})"
        return Replayed(ref, "differs", (why,), tuple(found))
    if not found:
        return Replayed(ref, "reproduced", remarks=("but for the card that names the version of isrflow",))
    return Replayed(ref, "differs", (), tuple(found))


def _touched(reader: Reader, ref: DatasetRef) -> tuple[str, ...]:
    """Say if the product itself is gone or changed: what was registered could be made again all the same."""
    try:
        same = file_fingerprint(reader.path(ref)).sha256 == ref.sha256
    except (RegistryError, OSError) as error:
        return (f"the file itself: {error}",)
    return () if same else ("the file itself was changed since it was registered: isrflow verify --full",)


def _compression(config: Mapping[str, Any]) -> Any:
    """Return how products were stored, where that decides their pixels; else what is quickest."""
    return config.get("product_compression", "mask")


def no_camera() -> NoReturn:
    """Stand in for the camera of a repository: what is replayed reads it among its inputs."""
    raise AssertionError("tasks read raws with the camera among their inputs")
