"""Block means."""

import numpy as np
import pytest

from isrflow.kernels.binning import bin_planes


def test_blocks_are_averaged_and_incomplete_ones_dropped() -> None:
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    mask = np.zeros((5, 7), np.int32)
    mask[0, 1], mask[1, 0] = 1, 4
    binned, bits, variance = bin_planes((image, mask, np.full((5, 7), 8, np.float32)), 2)
    assert binned.tolist() == [[4, 6, 8], [18, 20, 22]]  # (0 + 1 + 7 + 8) / 4 = 4
    assert bits.tolist() == [[5, 0, 0], [0, 0, 0]]
    assert np.all(variance == 2)  # 4 * 8 / 16


def test_masked_and_nan_pixels_take_part() -> None:
    image = np.array([[1, np.nan]], np.float32).repeat(2, axis=0)
    binned, _, _ = bin_planes((image, np.ones((2, 2), np.int32), image), 2)
    assert np.isnan(binned[0, 0])


def test_an_image_smaller_than_a_block_bins_to_nothing() -> None:
    binned, _, _ = bin_planes((np.ones((3, 9), np.float32), np.ones((3, 9), np.int32), np.ones((3, 9), np.float32)), 4)
    assert binned.shape == (0, 2)


@pytest.mark.parametrize(("factor", "error"), [(2.0, TypeError), ("2", TypeError), (True, TypeError), (0, ValueError)])
def test_the_factor_is_a_positive_integer(factor, error) -> None:
    planes = np.ones((4, 4), np.float32), np.ones((4, 4), np.int32), np.ones((4, 4), np.float32)
    with pytest.raises(error, match="binning factor must be"):
        bin_planes(planes, factor)
