"""Views seen as whole rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.layout import whole_rows


@given(st.integers(0, 3), st.integers(1, 5), st.integers(0, 3), st.integers(1, 5))
def test_a_box_of_a_plane_shares_its_pixels_with_its_whole_rows(y, ny, x, nx) -> None:
    plane = np.arange(8 * 8, dtype=np.float32).reshape(8, 8)
    view = plane[y : y + ny, x : x + nx]
    rows = whole_rows(view)
    assert rows.flags.c_contiguous
    assert np.array_equal(rows[:, :nx], view)
    rows[0, 0] = -1
    assert plane[y, x] == -1


def test_every_second_row_is_a_view_of_whole_rows_too() -> None:
    plane = np.arange(64, dtype=np.float32).reshape(8, 8)
    assert np.array_equal(whole_rows(plane[::2, 1:4])[:, :3], plane[::2, 1:4])


@pytest.mark.parametrize("view", [np.zeros((4, 4))[:, ::-1], np.zeros((4, 4))[:, ::2], np.zeros((4, 4))[::-1]])
def test_flipped_and_decimated_views_are_refused(view) -> None:
    with pytest.raises(ValueError, match=r"side by side.*copy the plane first"):
        whole_rows(view)
