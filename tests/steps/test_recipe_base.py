"""Recipes: order, binding, settings and refusals, on a recipe of toy steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest

from isrflow.calibs.base import CalibInfo, Calibration
from isrflow.errors import CalibrationMismatch, ConfigError, MissingCalibrations, StepError
from isrflow.frame.camera import camera_from_yaml
from isrflow.frame.exposure import Exposure
from isrflow.recipe import IsrConfig
from isrflow.run import run_isr
from isrflow.steps.recipe_base import Recipe
from isrflow.steps.step import ByProduct, Step, StepConfig, at_amplifier

DETECTOR = camera_from_yaml(
    "{name: c, detectors: [{id: 3, name: D, box: [0, 0, 2, 2], amplifiers: "
    "[{name: A, box: [0, 0, 2, 2], raw: [0, 0, 2, 2], raw_data: [0, 0, 2, 2]}]}]}"
).detectors[0]


@dataclass(frozen=True, kw_only=True)
class Pedestal(Calibration):
    level: float = 0.0
    kind: ClassVar[str] = "pedestal"
    dimensions: ClassVar[tuple[str, ...]] = ("instrument", "detector")

    def check(self) -> None: ...
    def to_hdus(self): ...
    @classmethod
    def from_hdus(cls, hdus): ...
    @classmethod
    def example(cls, detector, rng): ...


class Tint(Pedestal):
    kind: ClassVar[str] = "tint"


@dataclass(frozen=True)
class Level(ByProduct):
    value: float


class ShiftConfig(StepConfig):
    sign: float = 1.0
    must_tint: bool = False

    def demands(self, detector, physical_filter=None):
        return frozenset({"tint"}) if self.must_tint or physical_filter == "red" else frozenset()


class NoteConfig(StepConfig):
    scale: float = 2.0


def do_shift(exposure: Exposure, config: ShiftConfig, *, pedestal: Pedestal, tint: Tint | None = None) -> Level:
    """Subtract a pedestal."""
    exposure.image -= np.float32(config.sign * pedestal.level)
    return Level(pedestal.level)


def do_note(exposure: Exposure, config: NoteConfig, *, level: Level) -> None:
    """Write the level down."""
    exposure.header["LEVEL"] = level.value * config.scale


def do_crash(exposure: Exposure, config: StepConfig) -> None:
    """Fail on amplifier A."""
    with at_amplifier("A"):
        raise ZeroDivisionError("gain is zero")


class Toy(Recipe):
    shift: Annotated[ShiftConfig, Step(do_shift)] = ShiftConfig()
    note: Annotated[NoteConfig, Step(do_note)] = NoteConfig()
    crash: Annotated[StepConfig, Step(do_crash)] = StepConfig(enabled=False)


class IgnoringConfig(ShiftConfig):
    def ignores(self):
        return frozenset({"tint", "pedestal"})


def raw() -> Exposure:
    return Exposure(np.full((2, 2), 10, np.float32), detector=DETECTOR)


def test_steps_run_in_field_order_and_by_products_reach_later_steps():
    seen = []
    exposure = raw()
    result = run_isr(exposure, {"pedestal": Pedestal(level=4)}, Toy(), on_step=lambda name, _: seen.append(name))
    assert seen == ["shift", "note"]
    assert result.exposure.image[0, 0] == 6
    assert result.exposure.header["LEVEL"] == 8
    assert result.get(Level) == Level(4)
    assert [entry.step for entry in result.exposure.history] == ["shift", "note"]


def test_the_raw_is_left_alone_unless_overwritten():
    exposure = raw()
    run_isr(exposure, {"pedestal": Pedestal(level=4)}, Toy())
    assert exposure.image[0, 0] == 10
    assert exposure.header == {}
    result = run_isr(exposure, {"pedestal": Pedestal(level=4)}, Toy(), overwrite=True)
    assert exposure.image[0, 0] == 6
    assert result.exposure is exposure


def test_all_missing_calibrations_are_named_with_the_way_on():
    with pytest.raises(MissingCalibrations, match=r"lack their calibrations: pedestal\n.*--without shift") as caught:
        run_isr(raw(), {}, Toy())
    assert caught.value.missing == (("shift", "pedestal"),)


def test_settings_may_make_an_optional_calibration_mandatory():
    config = Toy.layered({"shift.must_tint": True})
    assert Toy().needs(DETECTOR) == {"pedestal": True, "tint": False}
    assert config.needs(DETECTOR) == {"pedestal": True, "tint": True}
    assert Toy().needs(DETECTOR, "red") == {"pedestal": True, "tint": True}
    assert Toy().needed_by("tint", DETECTOR, "red") == ("shift",)
    with pytest.raises(MissingCalibrations, match="tint"):
        run_isr(raw(), {"pedestal": Pedestal()}, config)


def test_a_calibration_of_another_detector_is_refused():
    with pytest.raises(CalibrationMismatch, match="pedestal was made for detector 4, the exposure is of detector 3"):
        run_isr(raw(), {"pedestal": Pedestal(info=CalibInfo(detector_id=4))}, Toy())


def test_a_failing_step_names_step_exposure_detector_and_amplifier():
    with pytest.raises(
        StepError, match="step crash failed on exposure detector D amplifier A: ZeroDivisionError"
    ) as caught:
        run_isr(raw(), {}, Toy.layered({"shift.enabled": False, "note.enabled": False, "crash.enabled": True}))
    assert (caught.value.step, caught.value.detector, caught.value.amplifier) == ("crash", "D", "A")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_later_layers_win_and_unnamed_settings_keep_their_defaults():
    config = Toy.layered({"shift": {"sign": -1}, "crash": {"enabled": True}}, {"shift.sign": -2})
    assert config.shift == ShiftConfig(sign=-2)
    assert config.crash.enabled
    assert config.changes() == {"shift.sign": -2.0, "crash.enabled": True}
    assert config.override({"note.scale": 3}).changes() == {**config.changes(), "note.scale": 3.0}


def test_unknown_settings_are_all_named_with_their_nearest():
    with pytest.raises(
        ConfigError, match=r"no step 'shfit' in Toy; did you mean 'shift'\?; step note has no setting 'scael'"
    ):
        Toy.layered({"shfit.sign": 1, "note": {"scael": 2}})


def test_an_impossible_value_is_named():
    with pytest.raises(ConfigError, match=r"shift\.sign: .*valid number.*got 'much'"):
        Toy.layered({"shift.sign": "much"})


def test_equal_settings_have_equal_digests_and_others_do_not():
    assert Toy().digest() == Toy.layered({"shift.sign": 1.0}).digest()
    assert Toy().digest() != Toy.layered({"shift.sign": 1.5}).digest()


def test_settings_of_steps_that_are_off_have_no_part_in_the_digest():
    assert (
        Toy.layered({"note.enabled": False, "note.scale": 7}).digest() == Toy.layered({"note.enabled": False}).digest()
    )
    assert Toy.layered({"note.scale": 7}).digest() != Toy().digest()


def test_a_recipe_can_end_before_a_step():
    assert [row.name for row, _ in Toy().before("note").enabled_rows()] == ["shift"]
    with pytest.raises(ConfigError, match="no step 'nite' in Toy; did you mean 'note'"):
        Toy().before("nite")


def test_a_step_that_asks_for_other_detectors_gets_them():
    def do_borrow(exposure: Exposure, config: StepConfig, *, sources: Mapping[str, Exposure] | None = None) -> None:
        """Add other detectors."""
        for other in (sources or {}).values():
            exposure.image += other.image

    class Borrowing(Recipe):
        borrow: Annotated[StepConfig, Step(do_borrow)] = StepConfig()

    assert Borrowing.rows[0].signature.wants_sources
    assert run_isr(raw(), {}, Borrowing(), sources={"E": raw()}).exposure.image[0, 0] == 20
    assert run_isr(raw(), {}, Borrowing()).exposure.image[0, 0] == 10


def test_taking_a_by_product_nobody_gives_is_refused_at_import():
    with pytest.raises(ConfigError, match=r"Broken\.note takes Level \(level\): no earlier step gives it"):

        class Broken(Recipe):
            note: Annotated[NoteConfig, Step(do_note)] = NoteConfig()


def test_a_parameter_nothing_can_supply_is_refused_at_import():
    def do_odd(exposure: Exposure, config: StepConfig, *, seed: int) -> None:
        """Want a number."""

    with pytest.raises(ConfigError, match="nothing in a recipe can supply parameter 'seed'"):

        class Odd(Recipe):
            odd: Annotated[StepConfig, Step(do_odd)] = StepConfig()


def test_layers_as_yaml_files_give_them_are_understood_or_explained() -> None:
    # `overscan:` with all its lines commented out is None
    assert IsrConfig.layered({"overscan": None}, {}) == IsrConfig()
    with pytest.raises(ConfigError, match=r"bias must be a mapping; .* write bias: \{enabled: false\}"):
        IsrConfig.layered({"bias": False})
    with pytest.raises(ConfigError, match="mappings of step to settings, not list"):
        IsrConfig.layered(["bias"])


def test_what_the_settings_make_no_use_of_is_not_even_looked_for() -> None:
    class Plain(Recipe):
        shift: Annotated[IgnoringConfig, Step(do_shift)] = IgnoringConfig()

    assert Plain().needs(DETECTOR) == {"pedestal": True}  # what a step cannot do without is not ignored
