"""The pages of the steps say what the code says, and no step is without one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "tools"))
pytest.importorskip("griffe", reason="the tools of the documentation are not installed")

from step_pages import functions, index, told_by_code  # noqa: E402

ROWS = functions()


@pytest.mark.parametrize("name", ROWS)
def test_the_page_of_a_step_is_that_of_this_code(name):
    page = (DOCS / "steps" / f"{name}.md").read_text(encoding="utf-8")
    for part in told_by_code(ROWS[name]):
        assert part in page, f"make pages writes docs/steps/{name}.md anew"


@pytest.mark.parametrize("name", ROWS)
def test_every_page_states_formula_and_units_and_shows_the_step_at_work(name):
    page = (DOCS / "steps" / f"{name}.md").read_text(encoding="utf-8")
    assert "## Formula and units" in page
    assert f"![before and after]({name}.png)" in page
    assert (DOCS / "steps" / f"{name}.png").stat().st_size > 1000
    assert all(f"\n- {what}: " in page for what in ("image", "mask", "cards", "cost"))


def test_there_are_no_pages_of_steps_that_are_gone():
    assert {path.stem for path in (DOCS / "steps").glob("*.md")} == {*ROWS, "index"}


def test_the_index_lists_both_recipes():
    assert (DOCS / "steps" / "index.md").read_text(encoding="utf-8") == index()


def test_the_page_on_closure_has_a_row_for_every_effect():
    from closure_page import CAMERA

    from isrflow.simulate import night_shots
    from isrflow.simulate.effects import effects_of

    page = (DOCS / "closure.md").read_text(encoding="utf-8")
    for effect in effects_of(night_shots(CAMERA, 20260301)[0]):
        assert f"| `{effect.step}` | {effect.removes} |" in page
