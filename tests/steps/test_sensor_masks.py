"""Masks of E2V and ITL sensors, with rows and columns counted by hand."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.sensor_masks import (
    CameraMasksConfig,
    E2vEdgeBleedConfig,
    ItlDipConfig,
    ItlSaturationConfig,
    mask_camera_artifacts,
    mask_e2v_edge_bleed,
    mask_itl_dip,
    mask_itl_saturation,
)

SAT = mask_bits("SAT")
E2V = E2vEdgeBleedConfig(min_area_px=50, max_area_px=500, height_px=4)
ITL = ItlSaturationConfig(min_area_px=50, max_area_px=5000, threshold=500.0, decay_per_row=0.02)


def sensor(maker: str, *, height: int = 60, prefix: str = "A", saturation: float = 1000.0) -> Exposure:
    """Two by two amplifiers, 40 columns wide, at a level of 100."""
    half = height // 2
    boxes = {"00": (0, 0), "01": (20, 0), "10": (0, half), "11": (20, half)}
    amps = [
        Amplifier(
            name=f"{prefix}{name}",
            box=(x, y, 20, half),
            raw=(x, y, 20, half),
            raw_data=(x, y, 20, half),
            saturation_adu=saturation,
            gain_electron_per_adu=2.0,
        )
        for name, (x, y) in boxes.items()
    ]
    detector = Detector(id=1, name="S1", box=(0, 0, 40, height), amplifiers=tuple(amps), physical_type=maker)
    image = np.full((height, 40), 100, np.float32)
    return Exposure(image, np.zeros(image.shape, np.int32), np.ones(image.shape, np.float32), detector=detector)


def rows_and_columns(changed) -> tuple[set[int], set[int]]:
    y, x = np.nonzero(changed)
    return set(y.tolist()), set(x.tolist())


def test_a_trail_at_the_lowest_row_floods_the_register_of_its_amplifier_on_e2v() -> None:
    exposure = sensor("E2V")
    exposure.mask[0:20, 4:8] = SAT  # 80 pixels, centre (5.5, 9.5): in the lower left amplifier
    mask_e2v_edge_bleed(exposure, E2V)
    expected = np.zeros(exposure.mask.shape, np.int32)
    expected[0:20, 4:8] = expected[0:4, 0:20] = SAT
    assert np.array_equal(exposure.mask, expected)


@pytest.mark.parametrize(
    ("rows", "columns", "why"),
    [
        (slice(1, 21), slice(4, 8), "does not touch the lowest row"),
        (slice(0, 12), slice(4, 8), "48 pixels are too few"),
        (slice(0, 25), slice(0, 20), "500 pixels are too many"),
    ],
)
def test_other_regions_flood_nothing(rows, columns, why) -> None:
    exposure = sensor("E2V")
    exposure.mask[rows, columns] = SAT
    before = exposure.mask.copy()
    mask_e2v_edge_bleed(exposure, E2V)
    assert np.array_equal(exposure.mask, before), why


def test_a_trail_whose_centre_is_in_an_upper_amplifier_floods_nothing() -> None:
    exposure = sensor("E2V")
    exposure.mask[0:60, 4] = exposure.mask[40:60, 4:9] = SAT  # 140 pixels, most of them above row 30
    before = exposure.mask.copy()
    mask_e2v_edge_bleed(exposure, E2V)
    assert np.array_equal(exposure.mask, before)


def test_names_of_amplifiers_do_not_matter_but_places_do() -> None:
    exposure = sensor("E2V", prefix="C1")  # all names begin with C1
    exposure.mask[0:20, 4:8] = SAT
    mask_e2v_edge_bleed(exposure, E2V)
    assert np.count_nonzero(exposure.mask) == 80 + 4 * 16


@pytest.mark.parametrize("mask", [mask_e2v_edge_bleed, mask_itl_saturation])
def test_sensors_of_other_makes_are_left_alone(mask) -> None:
    exposure = sensor("CCD")
    exposure.mask[0:20, 4:8] = SAT
    exposure.image[0:20] = 5000
    before = exposure.mask.copy()
    mask(exposure, E2V if mask is mask_e2v_edge_bleed else ITL)
    assert np.array_equal(exposure.mask, before)


def test_a_wide_trail_pulls_down_columns_beside_it() -> None:
    exposure = sensor("ITL")
    exposure.mask[5:30, 10:16] = SAT  # 25 rows, 6 columns, centre x = 12.5
    config = ItlDipConfig(background_fraction=0.1, min_height_px=20, min_width_px=6, planes=("SUSPECT",))
    mask_itl_dip(exposure, config)
    # depth 0.1 * 100 * 6 = 60 > 0.5 * sqrt(100); from int(12.5 - 1.5 * 6 / 2) = 8 to int(17) = 17
    marked = exposure.mask & mask_bits("SUSPECT") != 0
    assert rows_and_columns(marked) == (set(range(60)), set(range(8, 18)))
    assert marked[:, 8:18].all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"background_fraction": 0.0}, "there are no dips"),
        ({"min_height_px": 25}, "columns need more rows than the least height"),
        ({"min_width_px": 7}, "too narrow"),
        ({"background_fraction": 0.008}, "depth 4.8 drowns in 0.5 sqrt(100)"),
        ({"max_width_px": 4, "background_fraction": 0.0124}, "depth 4.96, counted with a width of 4"),
        ({"max_columns": 9}, "ten columns are more than nine"),
    ],
)
def test_no_dip(change, why) -> None:
    exposure = sensor("ITL")
    exposure.mask[5:30, 10:16] = SAT
    before = exposure.mask.copy()
    settings = {"background_fraction": 0.1, "min_height_px": 20, "min_width_px": 6, **change}
    mask_itl_dip(exposure, ItlDipConfig(**settings))
    assert np.array_equal(exposure.mask, before), why


def test_giving_up_on_dips_is_said(caplog) -> None:
    exposure = sensor("ITL")
    exposure.mask[5:30, 10:16] = SAT
    with caplog.at_level(logging.WARNING):
        mask_itl_dip(exposure, ItlDipConfig(background_fraction=0.1, min_height_px=20, min_width_px=6, max_columns=9))
    assert "dips would mask 10 columns, more than max_columns 9" in caplog.text


def test_a_detector_may_have_dips_of_its_own() -> None:
    settings = {"min_height_px": 20, "min_width_px": 6}
    for name, expected in (("S1", 10), ("S2", 0)):
        exposure = sensor("ITL")
        exposure.mask[5:30, 10:16] = SAT
        mask_itl_dip(exposure, ItlDipConfig(exceptions={name: {"background_fraction": 0.1}}, **settings))
        dipped = (exposure.mask & mask_bits("ITL_DIP")) != 0
        assert np.count_nonzero(dipped.any(axis=0)) == expected


def test_pixels_that_are_no_numbers_do_not_hide_the_background() -> None:
    exposure = sensor("ITL")
    exposure.mask[5:30, 10:16] = SAT
    exposure.image[40:, :] = np.nan
    mask_itl_dip(exposure, ItlDipConfig(background_fraction=0.008, min_height_px=20, min_width_px=6))
    assert not (exposure.mask & mask_bits("ITL_DIP")).any()  # depth 4.8 < 5: the background is 100, not NaN


def test_saturated_columns_sag_over_the_whole_detector_on_itl() -> None:
    exposure = sensor("ITL")
    exposure.mask[10:35, 10:12] = SAT  # 25 rows
    exposure.mask[10:15, 12] = SAT  # 5 rows: not more than a fifth of 25
    exposure.mask[10:16, 13] = SAT  # 6 rows: more
    mask_itl_saturation(exposure, ITL.model_copy(update={"mask_edge_bleed": False}))
    whole = (exposure.mask & SAT != 0).all(axis=0)
    assert np.flatnonzero(whole).tolist() == [10, 11, 13]


def test_bleeding_narrows_from_the_edge_inward_on_itl() -> None:
    exposure = sensor("ITL", height=600)
    exposure.mask[280:300, 8:12] = SAT  # one core: x = int(9.5) = 9, 4 pixels wide
    exposure.image[0:60, 5:15] = 800  # above 100 + 500; 800 > 0.45 * 1000: widest 10
    before = exposure.mask.copy()
    mask_itl_saturation(exposure, ITL.model_copy(update={"mask_sag": False}))
    changed = exposure.mask != before
    assert rows_and_columns(changed)[0] == set(range(200))
    for y in (0, 1, 50, 199):
        half = int((10 * math.exp(-0.02 * y) + 4) / 2)
        assert np.flatnonzero(changed[y]).tolist() == list(range(9 - half, 9 + half))
    assert np.flatnonzero(changed[0]).tolist() == list(range(2, 16))
    assert np.flatnonzero(changed[199]).tolist() == list(range(7, 11))


def test_the_upper_edge_bleeds_as_the_lower_does() -> None:
    lower, upper = sensor("ITL", height=600), sensor("ITL", height=600)
    lower.mask[280:320, 8:12] = upper.mask[280:320, 8:12] = SAT
    lower.image[0:60, 5:15] = 800
    upper.image[-60:, 5:15] = 800
    for exposure in (lower, upper):
        mask_itl_saturation(exposure, ITL)
    assert np.array_equal(lower.mask, upper.mask[::-1])


def test_an_edge_is_compared_with_its_own_amplifier() -> None:
    exposure = sensor("ITL", height=600)
    exposure.mask[280:320, 8:12] = SAT
    exposure.image[0:60, 5:15] = 800
    exposure.image[:300, :20] += 0  # the lower amplifier's median stays 100
    exposure.image[300:, :20] = 5000  # the upper one's would hide the bleed
    mask_itl_saturation(exposure, ITL.model_copy(update={"mask_sag": False}))
    assert exposure.mask[0, 3] == SAT


def test_two_cores_side_by_side_bleed_both() -> None:
    exposure = sensor("ITL", height=600)
    exposure.mask[250:350, 3:6] = SAT  # 300 pixels, most of them in columns 3, 4, 5: core at 3
    exposure.mask[250:350, 30:34] = SAT  # 400 pixels, core at 30
    exposure.mask[349:351, 3:34] = SAT  # a bridge joins them
    exposure.image[0:60] = 800
    sag_off = ITL.model_copy(update={"mask_sag": False, "decay_per_row": 10.0})
    mask_itl_saturation(exposure, sag_off)
    # from row 1 on the bleed is as wide as the widest row of each half. Split at int((3 + 27) / 2) = 15, columns 3..17
    # and 18..33: the bridge makes the halves 15 and 16 wide.
    columns = np.flatnonzero(exposure.mask[100] & SAT)
    assert columns.tolist() == [*range(3 + 7), *range(30 - 8, 30 + 8)]


def test_three_cores_are_too_many_to_tell_apart(caplog) -> None:
    exposure = sensor("ITL", height=600)
    for x in (3, 15, 30):
        exposure.mask[250:350, x : x + 3] = SAT
    exposure.mask[349:351, 3:33] = SAT
    exposure.image[0:60] = 800
    before = exposure.mask.copy()
    with caplog.at_level(logging.WARNING):
        mask_itl_saturation(exposure, ITL.model_copy(update={"mask_sag": False}))
    assert np.array_equal(exposure.mask, before)
    assert "has more than two cores" in caplog.text


def test_saturation_levels_come_from_cards_then_amplifiers_and_never_from_bad_ones() -> None:
    def width_at_edge(exposure: Exposure, bad: BadAmplifiers | None = None) -> int:
        exposure.mask[280:300, 8:12] = SAT
        exposure.image[0:60, 5:15] = 800
        mask_itl_saturation(exposure, ITL.model_copy(update={"mask_sag": False}), bad_amplifiers=bad)
        return int(np.count_nonzero(exposure.mask[0] & SAT))

    assert width_at_edge(sensor("ITL", height=600)) == 14
    assert (
        width_at_edge(sensor("ITL", height=600, saturation=2000.0)) == 4
    )  # 800 < 0.45 * 2000: only as wide as the core
    by_card = sensor("ITL", height=600, saturation=2000.0)
    by_card.header = {f"LSST ISR SATURATION LEVEL A{name}": 1000.0 for name in ("00", "01", "10", "11")}
    assert width_at_edge(by_card) == 14
    electrons = sensor("ITL", height=600)  # gain 2: the level is 2000 electrons
    electrons.unit = "electron"
    assert width_at_edge(electrons) == 4
    some = sensor("ITL", height=600, saturation=2000.0)
    some.header = {"LSST ISR SATURATION LEVEL A00": 1000.0}
    assert width_at_edge(some, BadAmplifiers(frozenset({"A01", "A10", "A11"}))) == 14


def test_sag_and_bleed_start_from_the_same_regions() -> None:
    both, sag = sensor("ITL", height=600), sensor("ITL", height=600)
    for exposure in (both, sag):
        exposure.mask[0:100, 8:12] = SAT  # reaches the edge, so that the bleed widens the region
        exposure.image[0:60, 5:15] = 800
    mask_itl_saturation(both, ITL)
    mask_itl_saturation(sag, ITL.model_copy(update={"mask_edge_bleed": False}))
    assert np.flatnonzero((both.mask & SAT != 0).all(axis=0)).tolist() == [8, 9, 10, 11]
    assert np.flatnonzero((sag.mask & SAT != 0).all(axis=0)).tolist() == [8, 9, 10, 11]


def test_one_row_does_what_the_sensor_needs() -> None:
    for maker, expected in (("E2V", mask_e2v_edge_bleed), ("ITL", mask_itl_saturation)):
        config = E2V if maker == "E2V" else ITL
        one, other = sensor(maker), sensor(maker)
        for exposure in (one, other):
            exposure.mask[0:20, 4:8] = SAT
        mask_camera_artifacts(one, CameraMasksConfig(e2v_edge_bleed=E2V, itl_saturation=ITL))
        expected(other, config)
        assert np.array_equal(one.mask, other.mask)
        assert np.count_nonzero(one.mask) > 80


def test_masks_can_be_switched_off_one_by_one() -> None:
    exposure = sensor("E2V")
    exposure.mask[0:20, 4:8] = SAT
    off = E2V.model_copy(update={"enabled": False})
    mask_camera_artifacts(exposure, CameraMasksConfig(e2v_edge_bleed=off))
    assert np.count_nonzero(exposure.mask) == 80


@pytest.mark.parametrize("mask", [mask_e2v_edge_bleed, mask_itl_dip, mask_itl_saturation])
def test_a_picture_without_a_trimmed_detector_is_refused(mask) -> None:
    configs = {mask_e2v_edge_bleed: E2V, mask_itl_dip: ItlDipConfig(), mask_itl_saturation: ITL}
    bare = sensor("ITL")
    bare.detector = None
    with pytest.raises(GeometryError, match="has no detector"):
        mask(bare, configs[mask])
    part = sensor("ITL").view(sensor("ITL").detector.amplifiers[0].box)
    with pytest.raises(GeometryError, match="is not assembled"):
        mask(part, configs[mask])
