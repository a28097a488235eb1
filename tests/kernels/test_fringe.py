"""The strength of fringes: places, contrasts, robust solution."""

import numpy as np
import pytest
from scipy import optimize

from isrflow.kernels.fringe import draw_places, measure_contrasts, solve_strengths
from isrflow.kernels.level import LevelRule


def test_places_of_a_seed_are_those_of_the_reference() -> None:
    places = draw_places((80, 100), 5, 30, 12345)  # recorded from the reference
    assert places.tolist() == [[64, 39], [67, 35], [59, 32], [31, 31], [66, 47]]


def test_places_stay_away_from_the_edges() -> None:
    places = draw_places((61, 63), 1000, 30, 7)
    assert places[:, 1].tolist() == [30] * 1000
    assert set(places[:, 0].tolist()) == {30, 31, 32}
    with pytest.raises(ValueError, match="60 x 61 pixels has no place 30 pixels from all edges"):
        draw_places((61, 60), 10, 30, 7)


def test_a_contrast_is_the_level_of_the_small_box_less_that_of_the_large_one() -> None:
    image, mask = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.int32)
    image[3:5, 3:5] = [[1, 2], [3, 10]]
    image[0, 0] = np.nan
    mask[7, 7], image[7, 7] = 2, 1e6
    places = np.array([[4, 4]])
    assert measure_contrasts(image, mask, 2, places, (1, 4)).tolist() == [2.5]
    mean = measure_contrasts(image, mask, 2, places, (1, 4), LevelRule("MEAN"))
    assert mean.tolist() == pytest.approx([4 - 16 / 62], rel=1e-15)
    clipped = measure_contrasts(image, mask, 2, places, (1, 4), LevelRule("MEANCLIP", 3, 1))
    assert clipped.tolist() == [2.0]  # the quartiles are 1.75 and 4.75: 10 is out; in the large box all but zeros are


def test_strengths_of_clean_contrasts_are_exact() -> None:
    rng = np.random.default_rng(3)
    frames = rng.uniform(-1, 1, (500, 2))
    found = solve_strengths(frames @ [37.0, -12.0], frames)
    assert found.values == pytest.approx([37, -12], rel=1e-12)
    assert found.rms < 1e-12
    assert found.n_used > 300  # the last rejections are of rounding errors


def test_outliers_do_not_matter_to_the_solution() -> None:
    rng = np.random.default_rng(4)
    frame = rng.uniform(-1, 1, 4000)
    science = 20 * frame + rng.normal(0, 2, 4000)
    science[::20] += rng.uniform(15, 25, 200)  # stars that the cut about the median does not see
    found = solve_strengths(science, frame[:, None])
    clean = np.arange(4000) % 20 != 0
    best = optimize.least_squares(lambda s: science[clean] - s * frame[clean], [0.0]).x
    error = 2 / np.sqrt(np.sum(frame**2))
    assert abs(found.values[0] - best[0]) < 0.5 * error
    assert found.rms == pytest.approx(2, rel=0.1)
    assert found.n_used == pytest.approx(3800, rel=0.02)


def test_places_without_a_level_in_any_picture_are_left_out() -> None:
    rng = np.random.default_rng(5)
    frames = rng.uniform(-1, 1, (300, 2))
    science = frames @ [5.0, 2.0]
    science[0] = frames[1, 0] = frames[2, 1] = np.nan
    assert solve_strengths(science, frames).values == pytest.approx([5, 2], rel=1e-12)


@pytest.mark.parametrize(
    "science", [np.full(50, np.nan), np.zeros(50)], ids=["no contrast is a number", "all contrasts are equal"]
)
def test_nothing_is_subtracted_where_nothing_is_left(science) -> None:
    found = solve_strengths(science, np.linspace(-1, 1, 50)[:, None])
    assert found.values.tolist() == [0.0]
    assert np.isnan(found.rms)
    assert found.n_used == 0


def test_without_rejections_it_is_plain_least_squares() -> None:
    science, frame = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 2.0, 2.0])
    found = solve_strengths(science, frame[:, None], n_sigma=100, n_iterations=0)
    assert found.values[0] == pytest.approx(17 / 10)
    assert np.isnan(found.rms)
