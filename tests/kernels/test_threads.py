"""Several cores and several Python threads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from isrflow.kernels.threads import has_all_cores, map_in_threads

TWO_THREADS = """
import threading
import numba, numpy as np
from isrflow.kernels.masks import widen_trails

def work():
    for _ in range(300):
        widen_trails(np.zeros((64, 64), np.int32), 1)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(numba.threading_layer())
"""


def test_two_python_threads_may_use_kernels_even_on_numbas_own_threads() -> None:
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", TWO_THREADS], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"workqueue"), done.stderr.decode()


def test_results_come_in_order_and_the_first_error_is_raised() -> None:
    assert map_in_threads(lambda item: item * 2, [1, 2, 3]) == [2, 4, 6]
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda item: 1 // item, [1, 0, 2])


def test_cores_are_shared_inside_a_map_and_free_outside() -> None:
    assert has_all_cores()
    assert len(set(map_in_threads(lambda _: has_all_cores(), [1, 2, 3]))) == 1
    assert has_all_cores()
