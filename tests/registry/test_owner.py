"""A token tells a dead process from a living one, and says nothing about other machines."""

from __future__ import annotations

import signal
import subprocess
import sys

from registry.owner import is_dead, process_token, spoken

PRINT_TOKEN = "from registry.owner import process_token; print(process_token('w1'), flush=True); input()"


def start():
    process = subprocess.Popen([sys.executable, "-c", PRINT_TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return process, process.stdout.readline().decode().strip()


def test_this_process_is_alive():
    assert not is_dead(process_token())
    assert process_token() == process_token()


def test_another_process_is_alive_until_it_is_killed_even_before_it_is_reaped():
    process, token = start()
    with process:
        assert not is_dead(token)
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == b""
        while not is_dead(token):
            pass
    assert is_dead(token)
    assert spoken(token).startswith(f"pid {process.pid} on ")


def test_a_pid_that_is_used_again_is_not_the_old_process():
    *front, start_ticks = process_token().split("/")
    assert is_dead("/".join([*front, str(int(start_ticks) - 1)]))


def test_nothing_is_known_about_other_hosts_boots_containers_and_free_texts():
    host, boot, namespace, _, ticks = process_token().split("/")
    gone = "4194999"
    assert is_dead(f"{host}/{boot}/{namespace}/{gone}/{ticks}")
    assert not is_dead(f"elsewhere/{boot}/{namespace}/{gone}/{ticks}")
    assert not is_dead(f"{host}/ffffffff/{namespace}/{gone}/{ticks}")
    assert not is_dead(f"{host}/{boot}/1/{gone}/{ticks}")
    assert not is_dead("prefect worker 7")
    assert spoken("prefect worker 7") == "prefect worker 7"
