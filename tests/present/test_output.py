from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from flows.present.output import emit, print_table
from flows.present.stretch import grey, limits, shrink, shrink_factor, shrink_mask


@dataclass
class Inner:
    path: Path
    value: float


def test_json_holds_everything_a_result_may_hold(capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "id": UUID(int=1),
        "inner": Inner(Path("a/b"), math.nan),
        "numbers": (np.float32(0.5), np.int64(3), True),
        7: None,
    }
    emit(data, as_json=True, text=lambda: pytest.fail("text was asked for"))
    assert json.loads(capsys.readouterr().out) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "inner": {"path": "a/b", "value": None},
        "numbers": [0.5, 3, True],
        "7": None,
    }


def test_a_table_in_a_pipe_keeps_long_texts_whole_and_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 60
    print_table([{"a": long, "b": None}, {"a": "two\nlines\tand a tab", "b": 1.23456789}])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a\tb", f"{long}\t", "two lines and a tab\t1.23457"]


@pytest.mark.parametrize("width", [40, 100])
def test_a_table_on_a_terminal_never_cuts_ids(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    row = {"id": "1a2b3c4d", "exposure": 2026030100001, "begin": "2026-03-01T20:00:00.000 UTC", "says": "why " * 30}
    print_table([row])
    shown = capsys.readouterr().out
    for whole in ("1a2b3c4d", "2026030100001", "2026-03-01 20:00:00"):
        assert whole in shown
    assert "…" not in shown
    assert "\x1b[3" not in shown  # no colour


def test_the_stretch_is_dark_for_the_sky_and_clipped_at_both_ends() -> None:
    rng = np.random.default_rng(1)
    sky = rng.normal(1000, 10, (200, 200)).astype(np.float32)
    low, high = limits(sky)
    assert low < 1000 < high
    levels = grey(np.array([low - 1, low, high, high + 1, np.nan], np.float32), low, high)
    np.testing.assert_array_equal(levels, np.array([0, 0, 1, 1, np.nan], np.float32))
    assert 0.1 < grey(np.float32([1000.0]), low, high)[0] < 0.5
    assert limits(np.full((3, 3), np.nan)) == (0.0, 1.0)
    assert limits(np.full((3, 3), 7.0)) == (6.5, 7.5)


def test_shrinking_averages_what_is_finite_and_ors_masks() -> None:
    image = np.array([[1, 3, 9], [5, np.nan, 9], [7, 7, 7]], np.float32)
    assert shrink(image, 2).tolist() == [[3.0]]  # (1 + 3 + 5) / 3; the rest at the edges is left out
    assert np.isnan(shrink(np.full((2, 2), np.nan, np.float32), 2)).all()
    assert shrink_mask(np.array([[1, 2], [0, 4]], np.int32), 2).tolist() == [[7]]
    assert shrink_factor((1000, 2100), 1000) == 3
    assert shrink(image, 1) is not None
