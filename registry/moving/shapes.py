"""What every record must have, and of which type: looked at before anything makes use of a record."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

_WORD: tuple[type, ...] = (str,)
_WHOLE: tuple[type, ...] = (int,)
_REAL: tuple[type, ...] = (int, float)
_TRUTH: tuple[type, ...] = (bool,)
_SOME: tuple[type, ...] = (dict,)
_MANY: tuple[type, ...] = (list,)
_PERHAPS_WORD: tuple[type, ...] = (str, NoneType)
_PERHAPS_WHOLE: tuple[type, ...] = (int, NoneType)
_PERHAPS_REAL: tuple[type, ...] = (int, float, NoneType)
Shape = Mapping[str, tuple[type, ...]]

SHAPES: Mapping[str, Shape] = {
    "package": {"format": _WORD, "version": _WHOLE, "repository": _WORD, "event": _SOME, "made": _WORD}
    | {"asked": _SOME, "extra": _SOME},
    "instrument": {"name": _WORD, "rollover_s": _REAL, "camera_name": _WORD, "detectors": _MANY, "filters": _MANY},
    "type": {"name": _WORD, "dimensions": _MANY, "formatter": _WORD, "is_calibration": _TRUTH, "on_missing": _WORD}
    | {"matches_mode": _TRUTH},
    "exposure": dict.fromkeys(("instrument", "obs_id", "obs_type", "object_name"), _WORD)
    | dict.fromkeys(("id", "day_obs", "seq_num", "begin_ns", "end_ns"), _WHOLE)
    | dict.fromkeys(("dark_time_s", "ra_deg", "dec_deg"), _PERHAPS_REAL)
    | {"physical_filter": _PERHAPS_WORD, "exposure_time_s": _REAL, "readout_mode": _SOME, "attrs": _SOME},
    "collection": dict.fromkeys(("name", "kind", "doc", "owner"), _WORD)
    | {"created_ns": _WHOLE, "frozen": _TRUTH, "holds": _WHOLE},
    "chain": {"name": _WORD, "children": _MANY},
    "dataset": dict.fromkeys(("id", "type", "run", "status", "extension"), _WORD)
    | {"data_id": _SOME, "created_ns": _WHOLE, "size": _PERHAPS_WHOLE, "file": _TRUTH}
    | {"sha256": _PERHAPS_WORD, "content_sha256": _PERHAPS_WORD},
    "validity": {"collection": _WORD, "dataset": _WORD, "begin_ns": _WHOLE, "end_ns": _WHOLE}
    | {"mode": _PERHAPS_WORD, "certified": _SOME},
    "tag": {"collection": _WORD, "dataset": _WORD},
    "config": {"table": _WORD, "sha256": _WORD, "value": _WORD},
    "calibs": {"id": _WORD, "members": _MANY},
    "quantum": dict.fromkeys(("id", "run", "task", "config", "software", "calibs", "content_key", "state"), _WORD)
    | {"data_id": _SOME, "note": _PERHAPS_WORD, "reason": _PERHAPS_WORD, "attempt": _WHOLE, "retriable": _WHOLE}
    | dict.fromkeys(("inputs", "outputs", "attempts"), _MANY),
    "mark": {"dataset": _WORD, "kind": _WORD, "said": _SOME},
    "flag": {"data_id": _SOME, "flag": _WORD, "said": _SOME},
    "header": {"data_id": _SOME, "keyword": _WORD, "value": _PERHAPS_WORD, "said": _SOME},
}
RUN: Shape = {"host": _WORD, "flow_run": _WORD, "started_ns": _WHOLE}
"""What a RUN collection has besides."""
SAID: Shape = {"at_ns": _WHOLE, "actor": _WORD, "reason": _WORD}
MEMBER: Shape = dict.fromkeys(("role", "dataset", "collection", "kind"), _WORD) | {
    "warning": _PERHAPS_WORD,
    "begin_ns": _PERHAPS_WHOLE,
    "end_ns": _PERHAPS_WHOLE,
    "gap_ns": _WHOLE,
}
ATTEMPT: Shape = (
    dict.fromkeys(("worker", "host", "outcome"), _WORD)
    | dict.fromkeys(("error_kind", "error_message", "traceback_text", "metrics"), _PERHAPS_WORD)
    | {"number": _WHOLE, "started_ns": _WHOLE, "ended_ns": _PERHAPS_WHOLE, "peak_rss_bytes": _PERHAPS_WHOLE}
    | {"seconds": _PERHAPS_REAL, "cpu_s": _PERHAPS_REAL}
)
_LARGEST = 2**62


def refuse_other_shape(record: Mapping[str, Any]) -> None:
    """Insist on the fields of a record, on their types, and on values that a database can hold.

    Raises
    ------
    ValueError, TypeError
        Saying which field is wrong.
    """
    is_ = record["is"]
    if is_ not in SHAPES:
        message = f"there is no such record; there is {', '.join(SHAPES)}"
        raise ValueError(message)
    shape = SHAPES[is_]
    _refuse({k: v for k, v in record.items() if k != "is"}, {**shape, **(RUN if record.get("kind") == "RUN" else {})})
    for name in ("said", "certified"):
        if name in record:
            _refuse(record[name], SAID)
    for name, inner in (("members", MEMBER), ("attempts", ATTEMPT)):
        for each in record.get(name, ()):
            _refuse(each, inner)
    for name in ("inputs", "outputs"):
        for each in record.get(name, ()):
            _refuse(dict(zip(("role", "id"), each, strict=True)), {"role": _WORD, "id": _WORD})
    for each in record.get("children", ()):
        _refuse({"child": each}, {"child": _WORD})
    _refuse_unstorable(record)


def _refuse(values: object, shape: Shape) -> None:
    if not isinstance(values, dict):
        message = f"{values!r} is no object"
        raise TypeError(message)
    if set(values) != set(shape):
        message = f"it has the fields {', '.join(sorted(values))}, and should have {', '.join(sorted(shape))}"
        raise ValueError(message)
    for name, kinds in shape.items():
        if type(values[name]) not in kinds:
            spoken = " or ".join(kind.__name__ for kind in kinds)
            message = f"{name} is {values[name]!r}, not of type {spoken}"
            raise TypeError(message)


def _refuse_unstorable(value: object) -> None:
    """Refuse numbers and letters that no database holds, wherever they are."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_unstorable(name)
            _refuse_unstorable(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unstorable(inner)
    elif isinstance(value, str):
        if "\0" in value:
            raise ValueError("it has letters that no database holds")
        value.encode()
    elif isinstance(value, int) and abs(value) > _LARGEST:
        message = f"{value} is too large"
        raise ValueError(message)
