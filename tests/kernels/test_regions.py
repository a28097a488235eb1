"""Connected regions found run by run, against scipy's labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isrflow.kernels.regions import find_regions


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_regions_are_those_of_scipy_with_diagonal_neighbours(marked) -> None:
    mask = np.where(marked, 2, 4).astype(np.int32)
    labels, n = ndimage.label(marked, structure=np.ones((3, 3)))
    expected = [labels == number for number in range(1, n + 1)]
    found = []
    for region in find_regions(mask, 2):
        whole = np.zeros(marked.shape, bool)
        height, width = region.pixels.shape
        whole[region.y0 : region.y0 + height, region.x0 : region.x0 + width] = region.pixels
        found.append(whole)
    order = {picture.tobytes(): i for i, picture in enumerate(found)}
    assert len(found) == n
    assert sorted(order[picture.tobytes()] for picture in expected) == list(range(n))
    firsts = [int(np.flatnonzero(picture)[0]) for picture in found]
    assert firsts == sorted(firsts)


def test_regions_are_chosen_by_area_and_height() -> None:
    mask = np.zeros((6, 9), np.int32)
    mask[0:2, 0:2] = 1  # 4 pixels, 2 rows
    mask[0:5, 5] = 1  # 5 pixels, 5 rows
    assert [region.area for region in find_regions(mask, 1)] == [4, 5]
    assert [region.area for region in find_regions(mask, 1, max_area=5)] == [4]
    assert [region.area for region in find_regions(mask, 1, min_area=5)] == [5]
    assert [region.area for region in find_regions(mask, 1, min_height=3)] == [5]
    assert list(find_regions(mask, 2)) == []


def test_the_centroid_is_the_mean_of_the_pixels() -> None:
    mask = np.zeros((6, 9), np.int32)
    mask[2, 3], mask[3, 4:6] = 1, 1  # x: 3, 4, 5; y: 2, 3, 3
    (region,) = find_regions(mask, 1)
    assert region.centroid == pytest.approx((4, 8 / 3), rel=1e-15)
    assert (region.x0, region.y0, region.area) == (3, 2, 3)
