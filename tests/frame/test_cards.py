"""Which cards count as content."""

from __future__ import annotations

import pytest

from isrflow.frame.cards import is_volatile


@pytest.mark.parametrize(
    "key", ["ISRFLOW BIAS ID", "ISRFLOW BIAS SHA256", "ISRFLOW RAW 3 ID", "ISRFLOW CALIBSET", "DATE"]
)
def test_which_file_was_read_and_when_does_not_count(key):
    assert is_volatile(key)


@pytest.mark.parametrize(
    "key",
    ["ISRFLOW CONTENT BIAS", "ISRFLOW BIAS MATCH", "ISRFLOW CONTEXT SHA256", "ISRFLOW CONFIG", "EXPTIME", "OBSID"],
)
def test_what_it_said_and_what_was_done_counts(key):
    assert not is_volatile(key)
