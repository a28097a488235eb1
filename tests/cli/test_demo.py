from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import server

STAGES = ["simulate", "compile", "ingest", "import", "calibrate", "night", "report"]


def stages(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if " ... " in line]


@pytest.mark.slow
def test_the_demo_ends_with_five_commands_that_work(isrflow) -> None:
    typed = isrflow("demo", "d", "--small", "--engine", "direct")
    assert stages(typed.err) == STAGES
    assert all(line.rstrip().endswith(" s") for line in typed.err.splitlines() if " ... " in line)
    commands = [line.strip() for line in typed.out.splitlines() if line.startswith("  isrflow ")]
    assert len(commands) == 5
    for command in commands:
        assert isrflow(*shlex.split(command)[1:]).out
    assert Path("d/picture.png").exists()
    report = next(line for line in typed.out.splitlines() if line.startswith("report:")).split()[1]
    assert "All 24 raws were corrected" in Path(report).read_text()
    assert "isrflow demo OTHER_DIR" in isrflow("demo", "d", "--small", code=1).err


@pytest.mark.prefect
@pytest.mark.slow
def test_the_demo_starts_a_server_processes_through_prefect_and_stops_the_server(shell) -> None:
    typed = shell("demo", "d", "--small")
    assert stages(typed.err) == [*STAGES[:5], "server", "night", "stop", "report"]
    assert "24 of 24 done" in typed.out
    assert "(engine prefect)" in typed.out
    assert server.running(shell.directory / "d" / "repo") is None


@pytest.mark.prefect
@pytest.mark.slow
def test_a_demo_told_to_end_stops_its_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "demo", "d", "--small"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as demo:
        seen = ""
        while "night      through" not in seen:
            assert demo.stderr is not None
            letter = demo.stderr.read(1)
            assert letter, f"the demo ended before the night:\n{seen}"
            seen += letter
        info = server.running(tmp_path / "d" / "repo")
        assert info is not None
        time.sleep(1.0)
        demo.send_signal(signal.SIGTERM)
        rest = demo.stderr.read()
    assert demo.returncode == 128 + signal.SIGTERM, rest
    assert not server.is_healthy(info.api_url, timeout_s=1.0)
