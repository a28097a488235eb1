from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# A shell's background jobs, and whatever they start, ignore Ctrl-C; a command that a person typed does not.
TYPED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()"


def test_an_interrupted_command_says_so_in_json_too_and_exits_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", TYPED, "simulate", "raws", "--night", "20260301", "--science", "2000", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not any(tmp_path.rglob("*.fits")) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert json.loads(out)["error"] == "Interrupted"
    assert "Traceback" not in err
