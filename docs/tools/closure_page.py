"""Write docs/closure.md: what every correction leaves of its effect, against simulated truth, as a table and a figure.

Run with ``make pages``. The same numbers are held to their floors by tests/test_closure.py and test_closure_effects.py.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from step_pages import table

from isrflow.calibs.base import Calibration
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.simulate import make_signature, night_shots, simulate_exposure, true_calibrations
from isrflow.simulate.closure import ClosureRow, Snapshots, closure_table
from isrflow.simulate.effects import effects_of
from isrflow.simulate.pairs import judge

DOCS = Path(__file__).parents[1]
CAMERA = load_camera("lupine")
DETECTOR = CAMERA.detectors[1]
SHOT = night_shots(CAMERA, 20260301, first_seq=20)[1]
TEXT = """# Closure

Every correction, held to the truth of a simulated exposure (camera `lupine`, detector {detector}, seed 1). Two
numbers each:

- the **leak**, the part of the effect that is left: the residual fitted with the true effect, 0 if nothing is left, 1
  if nothing was removed. Its floor is the standard error of that fit from noise alone;
- the **noise** of the residual over what theory makes it, by the formula in the table.

![leak and noise of every correction](closure.png)

## All effects at once

The whole recipe on one exposure with every effect that the simulator has on by default, and the calibrations as they
truly are.

{together}

## One effect at a time

Each on the difference of two exposures of the same noise, one of which has the effect (`isrflow.simulate.pairs`).

{alone}

What methods themselves leave: brighter-fatter, up to 0.01 on flats, and some 0.1 of the effect in the cores of stars
of 3.5 pixels, because differences of neighbouring pixels are not quite derivatives; fringes measured with medians of
boxes (the default, which stars do not disturb) come out some 6 % too weak, because the median of noisy pixels lies
nearer the mean than that of the pattern: the row above uses means. Of the drift of the level, a constant overscan
model leaves all.

*Written by `docs/tools/closure_page.py`; the tests `tests/test_closure.py` and `tests/test_closure_effects.py` hold
every row to five floors.*"""


def main() -> None:
    """Judge, draw and write."""
    together, alone = judged_together(), [judge(effect, correct, CAMERA, DETECTOR, SHOT) for effect in effects_of(SHOT)]
    draw([row for row in [*together, *alone] if row.leak_floor > 0], DOCS / "closure.png")
    text = TEXT.format(detector=DETECTOR.name, together=as_table(together), alone=as_table(alone))
    (DOCS / "closure.md").write_text(text, encoding="utf-8")
    print(f"{len(together) + len(alone)} rows in {DOCS / 'closure.md'}", file=sys.stderr)


def correct(raw: Exposure, calibs: Mapping[str, Calibration], settings: Mapping[str, Any]) -> Exposure:
    """Run the classic recipe."""
    return run_isr(raw, calibs, IsrConfig.layered(CAMERA.recipe, settings), camera=CAMERA).exposure


def judged_together() -> list[ClosureRow]:
    """Return the rows of the steps that are judged within one run of the recipe."""
    signature = make_signature(CAMERA, DETECTOR)
    raw, truth = simulate_exposure(CAMERA, DETECTOR, SHOT, signature=signature)
    calibs, snapshots = true_calibrations(signature, SHOT.obs.physical_filter), Snapshots()
    run_isr(raw, calibs, IsrConfig.layered(CAMERA.recipe), camera=CAMERA, on_step=snapshots)
    return closure_table(truth, snapshots.taken, calibs)


def as_table(rows: Sequence[ClosureRow]) -> str:
    """Return rows as a Markdown table."""
    head = (
        "step",
        "removes",
        "strength (adu)",
        "leak",
        "its floor",
        "noise (adu)",
        "its floor",
        "formula of the variance",
    )
    body = (
        (
            f"`{row.step}`",
            row.removes,
            f"{row.strength_adu:.4g}",
            f"{row.leak:+.2g}",
            f"{row.leak_floor:.2g}",
            f"{row.noise_adu:.3g}",
            f"{row.noise_floor_adu:.3g}",
            row.formula,
        )
        for row in rows
    )
    return table(head, body)


def draw(rows: Sequence[ClosureRow], path: Path) -> None:
    """Draw leak over its floor and noise over its floor, a line a step."""
    names, places = [row.step for row in rows], np.arange(len(rows))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 0.36 * len(rows) + 1.2), sharey=True, layout="constrained")
    floors = np.array([row.leak_floor for row in rows])
    left.barh(places, 5 * floors, left=0, height=0.6, color="#c8d3e6", label="five floors")
    left.plot(np.maximum(np.abs([row.leak for row in rows]), 1e-9), places, "o", color="#1f3b73", label="|leak|")
    left.set(xscale="log", xlabel="part of the effect that is left", yticks=places, yticklabels=names)
    left.invert_yaxis()
    left.legend(fontsize=8)
    right.axvline(1, color="#c8d3e6", lw=6, zorder=0)
    right.plot([row.noise_ratio for row in rows], places, "o", color="#1f3b73")
    right.set(xlabel="noise of the residual / theory", xlim=(0, 2))
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
