"""Stacks combined pixel by pixel, against numpy and hand-worked clipping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.combine import StackControl, combine_in_blocks, combine_stack


def stack(images, masks=None, variance=1.0):
    images = np.array(images, np.float32)
    masks = np.zeros(images.shape, np.int32) if masks is None else np.array(masks, np.int32)
    return images, masks, np.full(images.shape, variance, np.float32)


def test_a_cosmic_ray_in_one_of_six_is_clipped() -> None:
    images = np.arange(94, 107, dtype=np.float32).reshape(-1, 1, 1).copy()
    images[3] = 9999
    image, _, variance = combine_stack(stack(images), StackControl())
    kept = np.delete(np.arange(94, 107), 3)
    assert image[0, 0] == pytest.approx(kept.mean())
    assert variance[0, 0] == pytest.approx(kept.var(ddof=1) / kept.size)


def test_excluded_and_nan_values_do_not_take_part_and_masks_of_the_others_are_ored() -> None:
    images = [[[1.0, np.nan]], [[3.0, 5.0]], [[100.0, np.nan]]]
    masks = [[[4, 0]], [[2, 0]], [[1, 0]]]
    control = StackControl("MEAN", exclude_bits=1, empty_bits=256)
    image, mask, variance = combine_stack(stack(images, masks), control)
    assert image.tolist() == [[2, 5]]
    assert mask.tolist() == [[6, 0]]
    assert variance[0, 0] == 1  # unbiased variance 2 of two values, over 2
    assert np.isnan(variance[0, 1])


def test_a_pixel_without_any_good_value_is_nan_and_says_so() -> None:
    control = StackControl(exclude_bits=1, empty_bits=256)
    image, mask, variance = combine_stack(stack([[[1.0]]], [[[1]]]), control)
    assert np.isnan(image[0, 0])
    assert np.isnan(variance[0, 0])
    assert mask[0, 0] == 256


def test_the_error_may_come_from_the_input_variances() -> None:
    control = StackControl(error_from_variance=True)
    _, _, variance = combine_stack(stack(np.ones((4, 1, 1)), variance=8.0), control)
    assert variance[0, 0] == 2


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_mean_and_median_are_those_of_numpy(n, seed) -> None:
    values = np.random.default_rng(seed).normal(100, 10, (n, 3, 4)).astype(np.float32)
    mean, _, _ = combine_stack(stack(values), StackControl("MEAN"))
    median, _, _ = combine_stack(stack(values), StackControl("MEDIAN"))
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=float), rtol=1e-7)
    np.testing.assert_allclose(median, np.median(values.astype(float), axis=0), rtol=1e-7)


@given(st.integers(1, 12))
def test_blocks_of_rows_do_not_change_the_result(rows) -> None:
    whole = stack(np.random.default_rng(1).normal(100, 10, (5, 11, 4)))
    expected = combine_stack(whole, StackControl())
    read = [plane.copy() for plane in whole]
    found = combine_in_blocks((11, 4), lambda block: tuple(p[:, block].copy() for p in read), StackControl(), rows=rows)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_weights_shift_the_mean_to_the_heavy() -> None:
    image, _, variance = combine_stack(stack([[[0.0]], [[4.0]]]), StackControl("MEAN"), weights=np.array([1.0, 3.0]))
    assert image[0, 0] == 3
    # weighted variance (1*9 + 3*1)/4 = 3, unbiased 3 * 16/(16 - 10) = 8; error^2 = 8 * 10/16
    assert variance[0, 0] == 5
