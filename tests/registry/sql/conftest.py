from __future__ import annotations

import pytest

from tests.registry.world import World


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as one:
        yield one
