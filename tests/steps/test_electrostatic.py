"""The electrostatic brighter-fatter step: what is changed, what is marked, which gains and matrices are used."""

import numpy as np
import pytest

from isrflow.calibs.electrostatic import Electrostatic
from isrflow.errors import CalibrationError, CalibrationMismatch, GeometryError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.obs import Observation
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.electrostatic import ElectrostaticConfig, correct_pixel_sides

SIZE = 24
SAT, EDGE, INTRP = mask_bits("SAT"), mask_bits("EDGE"), mask_bits("INTRP")
PLAIN = ElectrostaticConfig(grow_px=0)
ELECTRON = ElectrostaticConfig(grow_px=0, apply_gain=False)


def matrices(strength: float = 1e-7, **more) -> Electrostatic:
    """Matrices by which the upper side of a pixel is moved by the charge right below it, and nothing else."""
    north, zeros = np.zeros((2, 2)), np.zeros((2, 2))
    north[0, 1] = strength
    return Electrostatic(north=north, south=zeros, east=zeros, west=zeros, measured=np.zeros((4, 4)), **more)


def picture(unit: str = "electron", gain: float = 2.0, **more) -> Exposure:
    shape = SIZE, SIZE
    boxes = {"L": [0, 0, SIZE // 2, SIZE], "R": [SIZE // 2, 0, SIZE // 2, SIZE]}
    amps = tuple(
        Amplifier(name=name, box=box, raw=box, raw_data=box, gain_electron_per_adu=gain) for name, box in boxes.items()
    )
    detector = Detector(id=1, name="D", box=[0, 0, *shape], amplifiers=amps)
    planes = np.full(shape, 1000, np.float32), np.zeros(shape, np.int32), np.full(shape, 9, np.float32)
    result = Exposure(*planes, unit=unit, detector=detector, **more)
    result.image[12, 12] = 9000
    return result


def test_charge_crosses_a_side_by_the_light_there_times_its_shift() -> None:
    exposure = picture()
    correct_pixel_sides(exposure, ELECTRON, electrostatic=matrices())
    # A charge moves the upper side of the pixel above it by 1e-7 a pixel and electron, and that of the pixel below it
    # as far the other way; a quarter of that times the light of both pixels crosses. (What the rest has moves it back.)
    shift = (9000 - 1000) * 1e-7 / 4
    from_13_to_14, from_12_to_11 = shift * (1000 + 1000), shift * (9000 + 1000)
    expected = np.zeros(SIZE)
    expected[11:15] = from_12_to_11, -from_12_to_11, -from_13_to_14, from_13_to_14
    column = exposure.image[:, 12] - picture().image[:, 12]
    np.testing.assert_allclose(column[2:-2], expected[2:-2], atol=6e-4)  # last places of 9000
    assert exposure.image.sum(dtype=np.float64) == pytest.approx(picture().image.sum(dtype=np.float64), abs=0.01)


def test_the_border_of_half_the_measured_matrix_is_marked_and_noted() -> None:
    exposure = picture()
    correct_pixel_sides(exposure, ELECTRON, electrostatic=matrices())
    edge = np.full((SIZE, SIZE), EDGE)
    edge[2:-2, 2:-2] = 0
    assert np.array_equal(exposure.mask, edge)
    assert exposure.header["LSST ISR BF APPLIED"] is True
    assert exposure.header["LSST ISR BF CORR METHOD"] == "ASTIER23"


def test_replaced_pixels_stay_replaced_with_their_variances_and_saturation_grows() -> None:
    exposure = picture()
    exposure.image[12, 12], exposure.mask[12, 12] = 1e6, SAT
    correct_pixel_sides(exposure, ElectrostaticConfig(grow_px=2), electrostatic=matrices(0.0))
    np.testing.assert_allclose(exposure.image, 1000, rtol=1e-7)
    assert np.count_nonzero(exposure.mask & INTRP) == 5  # grown by 1 for the correction
    assert np.count_nonzero(exposure.mask & SAT) == 25  # and by 2 afterwards: a diamond of radius 3


def test_replaced_for_the_correction_alone_they_keep_their_values() -> None:
    exposure = picture()
    exposure.image[12, 12], exposure.mask[12, 12] = 1e6, SAT
    config = ElectrostaticConfig(keep_replaced=False, grow_px=0)
    correct_pixel_sides(exposure, config, electrostatic=matrices())
    assert exposure.image[12, 12] == 1e6
    assert np.argwhere(exposure.mask & SAT).tolist() == [[12, 12]]
    assert not np.any(exposure.mask & INTRP)
    exposure.image[12, 12] = 1000
    np.testing.assert_allclose(exposure.image[2:-2], 1000, rtol=2e-7)  # an even image is as it should be


def test_the_effect_is_proportional_to_the_gain_and_that_of_the_matrices_comes_first(caplog) -> None:
    def moved(own, **more) -> float:
        exposure = picture("adu")
        correct_pixel_sides(exposure, PLAIN, electrostatic=matrices(1e-6, **own), **more)
        return float(exposure.image[14, 12] - 1000)

    ptc = EffectivePtc(dict.fromkeys("LR", 3.0), dict.fromkeys("LR", 1.0), dict.fromkeys("LR", 1.0))
    own = {"amp_names": ("L", "R"), "gain": {"L": 4.0, "R": 4.0}}
    camera, effective, measured = moved({}), moved({}, ptc=ptc), moved(own)
    assert effective == pytest.approx(1.5 * camera, rel=1e-3)  # last places of 1000
    assert measured == pytest.approx(2 * camera, rel=1e-3)
    assert not caplog.text
    assert moved(own, ptc=ptc) == measured
    assert "gains of the electrostatic are not those of the exposure: L (4, 3), R (4, 3)" in caplog.text
    config = ElectrostaticConfig(refuse_other_gains=True)
    with pytest.raises(CalibrationMismatch, match="not those of the exposure"):
        correct_pixel_sides(picture("adu"), config, electrostatic=matrices(**own), ptc=ptc)


def by_filter() -> Electrostatic:
    sides = ("north", "south", "east", "west")
    strong = {f"{side}_by_filter": {"r": getattr(matrices(4e-7), side)} for side in sides}
    return matrices(filters=("r",), **strong)


@pytest.mark.parametrize(
    ("given", "is_known"),
    [
        ({"obs": Observation(physical_filter="r")}, True),
        ({"header": {"FILTER": "r"}}, True),
        ({"header": {"FILTER": "g"}}, False),
        ({}, False),
    ],
)
def test_matrices_of_the_filter_are_used_if_asked_and_there(given, is_known, caplog) -> None:
    config = ElectrostaticConfig(by_filter=True, grow_px=0)
    exposure, general, strong = picture(**given), picture(), picture()
    correct_pixel_sides(exposure, config, electrostatic=by_filter())
    correct_pixel_sides(general, PLAIN, electrostatic=by_filter())
    correct_pixel_sides(strong, PLAIN, electrostatic=matrices(4e-7))
    assert np.array_equal(exposure.image, (strong if is_known else general).image)
    assert ("the general matrices of electrostatic" in caplog.text) != is_known
    assert exposure.header["LSST ISR BF CORR METHOD"] == "ASTIER23+FILTERCORRECTION"


def test_matrices_that_reach_further_than_the_image_are_refused() -> None:
    wide = np.zeros((13, 13))
    with pytest.raises(CalibrationMismatch, match="reach over 25 x 25 px, more than the image of 24 x 24 px"):
        correct_pixel_sides(
            picture(), ELECTRON, electrostatic=Electrostatic(north=wide, south=wide, east=wide, west=wide)
        )


def test_gains_without_a_detector_are_an_error() -> None:
    exposure = picture("adu")
    exposure.detector = None
    with pytest.raises(GeometryError, match="no detector, so its gains"):
        correct_pixel_sides(exposure, PLAIN, electrostatic=matrices())


def test_matrices_that_do_not_go_together_are_all_named() -> None:
    bad = matrices(filters=("r",), north_by_filter={"g": np.zeros((2, 2))}, amp_names=("L",), gain={"L": -1.0})
    with pytest.raises(
        CalibrationError, match=r"north_by_filter has matrices of g, not of r.*gain of L is not positive"
    ):
        bad.check()
    with pytest.raises(CalibrationError, match=r"south has shape \(3, 3\), not \(2, 2\)"):
        Electrostatic(
            north=np.zeros((2, 2)), south=np.zeros((3, 3)), east=np.zeros((2, 2)), west=np.zeros((2, 2))
        ).check()
    with pytest.raises(CalibrationError, match="west holds values that are not finite"):
        Electrostatic(
            north=np.zeros((2, 2)), south=np.zeros((2, 2)), east=np.zeros((2, 2)), west=np.full((2, 2), np.nan)
        ).check()
