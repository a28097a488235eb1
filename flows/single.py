"""One detector of one raw file, corrected without a registry: what ``isrflow run`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from isrflow.calibs.base import Calibration
from isrflow.calibs.files import read_calibration
from isrflow.calibs.kinds import KINDS
from isrflow.errors import ConfigError
from isrflow.frame.camera import Camera, load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.fits import write_exposure
from isrflow.frame.raw import read_raw
from isrflow.quantum.config import CHOICE, recipe_for
from isrflow.run import run_isr
from isrflow.steps.recipe_base import Recipe


@dataclass(frozen=True, slots=True)
class SingleOutcome:
    """What came of one file."""

    output: Path
    exposure: str
    """Exposure and detector, in words."""
    unit: str
    steps: Mapping[str, float]
    """Steps that were run, in order, with their seconds."""
    calibrations: Mapping[str, str]
    pictures: Sequence[Path]
    seconds: float

    def render(self) -> str:
        """Return the outcome as text."""
        steps = " ".join(self.steps)
        lines = [
            f"{self.exposure}: {len(self.steps)} steps in {self.seconds:.2f} s: {steps}",
            f"product: {self.output}",
        ]
        return "\n".join([*lines, *(f"picture: {path}" for path in self.pictures)])


def correct_file(
    raw: Path,
    output: Path,
    *,
    calibs: Iterable[str] = (),
    without: Iterable[str] = (),
    show: Iterable[str] = (),
    instrument: str | Path | None = None,
    detector: str | None = None,
    recipe: str | None = None,
    settings: Iterable[str] = (),
    config: Path | None = None,
    overwrite: bool = False,
) -> SingleOutcome:
    """Correct one raw file and write the product.

    Parameters
    ----------
    raw, output
        Files; `output` is refused if it exists, unless `overwrite`.
    calibs
        ``KIND=FILE`` each.
    without
        Steps to switch off.
    show
        Steps after which the exposure is drawn beside `output`.
    instrument
        Name or YAML file of the camera; None: geometry from the file's own section cards.
    detector
        Id or name, where the header does not say.
    recipe
        ``classic`` or ``lsst``; None: as the camera says.
    settings
        ``STEP.FIELD=VALUE`` each, laid over `config`, laid over the instrument's.
    config
        YAML file of settings.
    overwrite
        Whether an existing `output` may be replaced.

    Raises
    ------
    IsrflowError
        Whatever is wrong with settings, file, calibrations or pixels; nothing is written then.
    """
    started = time.perf_counter()
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists already", fix="another -o, or --force")
    camera = None if instrument is None else load_camera(instrument)
    plan = _recipe(camera, recipe, config, settings, without)
    given = read_calibs(calibs)
    exposure = read_raw(raw, camera, _detector_key(detector))
    observer, pictures = _painter(plan, list(show), output)
    result = run_isr(exposure, given, plan, camera=camera, overwrite=True, on_step=observer)
    product = result.exposure
    if overwrite:
        output.unlink(missing_ok=True)
    write_exposure(product, output)
    return SingleOutcome(
        output=output,
        exposure=product.label,
        unit=product.unit,
        steps={entry.step: entry.seconds for entry in product.history},
        calibrations={kind: str(info.info.identity) for kind, info in given.items()},
        pictures=pictures,
        seconds=time.perf_counter() - started,
    )


def is_possible_without(
    steps: Iterable[str],
    *,
    instrument: str | None = None,
    recipe: str | None = None,
    config: Path | None = None,
    settings: Iterable[str] = (),
) -> bool:
    """Tell whether the recipe of `correct_file` can do without these steps."""
    camera = None if instrument is None else load_camera(instrument)
    try:
        _recipe(camera, recipe, config, settings, steps)
    except ConfigError:
        return False
    return True


def parse_settings(items: Iterable[str]) -> dict[str, Any]:
    """Read ``STEP.FIELD=VALUE`` items; values are YAML (numbers, true/false, lists).

    Raises
    ------
    ConfigError
        If items are not of that form; all are listed.
    """
    texts = list(items)
    wrong = [text for text in texts if "=" not in text or "." not in text.partition("=")[0]]
    if wrong:
        raise ConfigError(f"not a setting: {', '.join(map(repr, wrong))}", fix="--set overscan.order=3")
    return {key.strip(): yaml.safe_load(value) for key, _, value in (text.partition("=") for text in texts)}


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML file of recipe settings.

    Raises
    ------
    ConfigError
        If there is no such file or it is not a mapping in YAML.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} is not a mapping of steps to settings", fix="write it as  overscan: {order: 3}")
    return tree


def read_calibs(items: Iterable[str]) -> dict[str, Calibration]:
    """Read ``KIND=FILE`` items.

    Raises
    ------
    ConfigError
        If an item is not of that form or a kind is unknown; all are listed.
    CalibrationFileError
        If a file is not the calibration it is said to be.
    """
    pairs = [item.partition("=") for item in items]
    wrong = [f"{kind}{sign}{path}" for kind, sign, path in pairs if not path or kind not in KINDS]
    if wrong:
        near = [match for kind, _, _ in pairs for match in get_close_matches(kind, KINDS, n=1) if kind not in KINDS]
        hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        raise ConfigError(
            f"not a calibration: {', '.join(wrong)}{hint}",
            fix=f"--calib KIND=FILE, with KIND one of {', '.join(KINDS)}",
        )
    return {kind: read_calibration(kind, Path(path)) for kind, _, path in pairs}


def _recipe(
    camera: Camera | None, choice: str | None, config: Path | None, settings: Iterable[str], without: Iterable[str]
) -> Recipe:
    layers = [read_settings_file(config) if config else {}, parse_settings(settings)]
    return recipe_for(camera, {CHOICE: choice} if choice else {}, *layers).without(without)


def _painter(
    recipe: Recipe, steps: list[str], output: Path
) -> tuple[Callable[[str, Exposure], None] | None, list[Path]]:
    """Return the observer that draws the exposure after `steps`, and the list it fills with files."""
    if not steps:
        return None, []
    from flows.present.picture import draw_exposure

    running = [row.name for row, _ in recipe.enabled_rows()]
    absent = [step for step in steps if step not in running]
    if absent:
        near = [match for step in absent for match in get_close_matches(step, running, n=1)]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ConfigError(f"no enabled step named {', '.join(absent)} to show{hint} (enabled: {', '.join(running)})")
    pictures: list[Path] = []

    def paint(step: str, exposure: Exposure) -> None:
        if step in steps:
            path = output.with_name(f"{output.name.partition('.')[0]}_{step}.png")
            draw_exposure(exposure, path, title=f"{exposure.label} after {step}")
            pictures.append(path)

    return paint, pictures


def _detector_key(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text
