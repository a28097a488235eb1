"""The nested files the shutter writes (JSON; YAML in the reference's hands), versions 1 and 2, and flat values.

Version 1 says ``time: {tai, mjd}`` for a sample, version 2 ``tai: {isot, mjd}``; nothing else differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isrflow.errors import CalibrationFileError

PROFILE_CARDS = {
    "fileName": "file_name",
    "obsId": "obs_id",
    "version": "layout",
    "startPosition": "start_position_mm",
    "targetPosition": "target_position_mm",
    "endPosition": "end_position_mm",
    "targetDuration": "target_duration_ms",
    "actionDuration": "action_duration_ms",
    "side": "side",
    "isOpen": "is_open",
    "startTime_tai": "start_tai",
    "startTime_mjd": "start_mjd",
}
"""Card of a table, which is also the name in nested files, to field."""
_TOP = ("fileName", "obsId", "version")
_START = ("startTime_tai", "startTime_mjd")
_FIT_NUMBERS = ("ModelStartTime", "PivotPoint1", "PivotPoint2", "Jerk0", "Jerk1", "Jerk2")
_TEXTS = frozenset({"file_name", "obs_id", "side", "start_tai"})
FILE_TYPE = "shutterMotionProfile"


def profile_values(cards: Mapping[str, Any]) -> dict[str, Any]:
    """Return field to value for the cards that are there; FITS turns short ones into capitals.

    Raises
    ------
    CalibrationFileError
        If a card is not a number, text or truth value as it should be, or the card that says which blade is missing.
    """
    found: dict[str, Any] = {}
    for card, name in PROFILE_CARDS.items():
        value = next((cards[key] for key in (card, card.upper()) if cards.get(key) not in (None, "")), None)
        if value is not None:
            found[name] = _typed(card, name, value)
    if "is_open" not in found:
        raise CalibrationFileError("a shutter profile says isOpen: whether its blade opened or closed the shutter")
    return found


def _typed(card: str, name: str, value: Any) -> Any:
    if name == "is_open":
        if not isinstance(value, bool):
            raise CalibrationFileError(f"{card} is {value!r}, it must be true or false")
        return value
    if name in _TEXTS:
        return str(value).strip()
    try:
        return value if isinstance(value, int) and not isinstance(value, bool) else float(value)
    except (TypeError, ValueError) as error:
        raise CalibrationFileError(f"{card} is {value!r}, it must be a number") from error


def read_nested(tree: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[float, ...]]]:
    """Return the fields of a profile, and fit name to its six numbers.

    Raises
    ------
    CalibrationFileError
        If it is no shutter profile, of another version, or parts are missing; names them.
    """
    file_type, version = tree.get("fileType", FILE_TYPE), tree.get("version", 2.0)
    if file_type != FILE_TYPE or version not in (1.0, 2.0):
        raise CalibrationFileError(f"fileType is {file_type!r} of version {version!r}, not {FILE_TYPE!r} of 1 or 2")
    profile = _part(tree, "motionProfile")
    start_tai, start_mjd = _time(_part(profile, "startTime"), "motionProfile.startTime")
    cards = {card: tree[card] for card in _TOP if card in tree} | dict(profile)
    values = profile_values(cards | {"startTime_tai": start_tai, "startTime_mjd": start_mjd, "version": version})
    encoder, hall = (_list(profile, name) for name in ("encodeSamples", "hallTransitions"))
    values |= _samples(encoder, "encodeSamples", "", {"position": "position_mm"})
    hall_names = {"position": "hall_position_mm", "sensorId": "hall_sensor_id", "isOn": "hall_is_on"}
    values |= _samples(hall, "hallTransitions", "hall_", hall_names)
    fits = _part(profile, "fitResults")
    values["fit_model"] = str(fits.get("Model", ""))
    named = {name: fit for name, fit in fits.items() if isinstance(fit, Mapping)}
    return values, {
        name: tuple(_number(fit, key, f"fit {name}") for key in _FIT_NUMBERS) for name, fit in named.items()
    }


def nested(values: Mapping[str, Any], fits: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return a profile as the shutter's own files have it, in the version its layout says."""
    inside = [card for card in PROFILE_CARDS if card not in (*_TOP, *_START)]
    version = values["layout"]
    encoder = zip(values["time_tai"], values["time_mjd"], values["position_mm"], strict=True)
    hall_columns = ("time_tai", "time_mjd", "position_mm", "sensor_id", "is_on")
    hall = zip(*(values[f"hall_{name}"] for name in hall_columns), strict=True)
    return {
        **{card: values[PROFILE_CARDS[card]] for card in _TOP},
        "fileType": FILE_TYPE,
        "motionProfile": {
            **{card: values[PROFILE_CARDS[card]] for card in inside},
            "startTime": _stated(version, values["start_tai"], values["start_mjd"], is_sample=False),
            "encodeSamples": [
                {"position": float(position), **_stated(version, tai, mjd)} for tai, mjd, position in encoder
            ],
            "hallTransitions": [
                {"position": float(position), "sensorId": int(sensor), "isOn": bool(on), **_stated(version, tai, mjd)}
                for tai, mjd, position, sensor, on in hall
            ],
            "fitResults": {
                "Model": values["fit_model"],
                **{name: dict(zip(_FIT_NUMBERS, numbers, strict=True)) for name, numbers in fits.items()},
            },
        },
    }


def _stated(version: float, tai: Any, mjd: Any, *, is_sample: bool = True) -> dict[str, Any]:
    if version == 1.0:
        time = {"tai": str(tai), "mjd": float(mjd)}
        return {"time": time} if is_sample else time
    return {"tai": {"isot": str(tai), "mjd": float(mjd)}}


def _samples(rows: list[Any], what: str, prefix: str, names: Mapping[str, str]) -> dict[str, Any]:
    times = [_time(row, f"{what}[{i}]") for i, row in enumerate(rows)]
    found: dict[str, Any] = {f"{prefix}time_tai": [time[0] for time in times]}
    found[f"{prefix}time_mjd"] = [time[1] for time in times]
    for key, name in names.items():
        value = _value if key == "isOn" else _number
        found[name] = [value(row, key, f"{what}[{i}]") for i, row in enumerate(rows)]
    return found


def _time(row: Any, where: str) -> tuple[str, float]:
    """Return ISO date and MJD, however they are nested."""
    inner = row
    for key in ("time", "tai"):
        if isinstance(inner, Mapping) and isinstance(inner.get(key), Mapping):
            inner = inner[key]
    tai = inner.get("isot", inner.get("tai")) if isinstance(inner, Mapping) else None
    if not isinstance(tai, str) or "mjd" not in inner:
        raise CalibrationFileError(f"{where} has no time of TAI and MJD: {str(row)[:80]}")
    return tai, _number(inner, "mjd", where)


def _value(row: Any, key: str, where: str) -> Any:
    if not isinstance(row, Mapping) or key not in row:
        raise CalibrationFileError(f"{where} has no {key}: {str(row)[:80]}")
    return row[key]


def _number(row: Any, key: str, where: str) -> float:
    value = _value(row, key, where)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise CalibrationFileError(f"{key} of {where} is {str(value)[:80]!r}, not a number")
    return float(value)


def _part(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = tree.get(key)
    if not isinstance(part, Mapping):
        raise CalibrationFileError(f"a shutter profile needs {key}; there is {', '.join(map(str, tree))}")
    return part


def _list(tree: Mapping[str, Any], key: str) -> list[Any]:
    rows = tree.get(key)
    if not isinstance(rows, list):
        raise CalibrationFileError(f"a shutter profile needs a list {key}; there is {', '.join(map(str, tree))}")
    return rows
