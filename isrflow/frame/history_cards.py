"""History entries as HISTORY lines and cards, and back.

A line says what was done: the step, then as JSON its settings and, after ``with``, its calibrations. How long it took
stands in a volatile card of its own, because two identical products may differ in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isrflow.frame.history import HistoryEntry

_MARK = "isrflow: "
_MORE = "isrflow+ "
_WIDTH = 62
_SECONDS = "ISRFLOW SECONDS "


def history_lines(history: Sequence[HistoryEntry]) -> list[str]:
    """Return the entries as HISTORY lines, folded to the width of a card."""
    return [line for entry in history for line in _fold(_text(entry))]


def history_seconds(history: Sequence[HistoryEntry]) -> dict[str, float]:
    """Return the (volatile) cards that say how long each entry took."""
    return {f"{_SECONDS}{i:02d} {entry.step.upper()}": round(entry.seconds, 6) for i, entry in enumerate(history)}


def split_history(cards: Mapping[str, Any]) -> tuple[list[HistoryEntry], dict[str, Any]]:
    """Take the entries out of the cards of a header; other HISTORY lines stay."""
    texts: list[str] = []
    others: list[str] = []
    for line in cards.get("HISTORY", ()):
        if line.startswith(_MARK):
            texts.append(line.removeprefix(_MARK))
        elif line.startswith(_MORE) and texts:
            texts[-1] += line.removeprefix(_MORE)
        else:
            others.append(line)
    rest = {key: value for key, value in cards.items() if key != "HISTORY" and not key.startswith(_SECONDS)}
    if others:
        rest["HISTORY"] = others
    entries = []
    for i, text in enumerate(texts):
        step, settings, calibrations = _parse(text)
        seconds = cards.get(f"{_SECONDS}{i:02d} {step.upper()}", 0.0)
        entries.append(HistoryEntry(step, float(seconds), settings, calibrations))
    return entries, rest


def _text(entry: HistoryEntry) -> str:
    settings = f" {json.dumps(dict(entry.settings), default=str)}" if entry.settings else ""
    calibrations = f" with {json.dumps(dict(entry.calibrations), default=str)}" if entry.calibrations else ""
    return f"{entry.step}{settings}{calibrations}"


def _fold(text: str) -> list[str]:
    lines, mark = [], _MARK
    while True:
        width = len(text[:_WIDTH].rstrip()) if len(text) > _WIDTH else len(text)  # a card loses trailing blanks
        lines.append(mark + text[:width])
        text, mark = text[width:], _MORE
        if not text:
            return lines


def _parse(text: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    step, _, rest = text.partition(" ")
    settings: dict[str, Any] = {}
    calibrations: dict[str, str] = {}
    if rest.startswith("{"):
        settings, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
    if rest.startswith("with "):
        calibrations = json.loads(rest.removeprefix("with "))
    return step, settings, calibrations
