"""The how-to for users of LSST's task does what it says."""

import re
from pathlib import Path

from isrflow.frame.exposure import Exposure

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "lsst-user.md"


def test_the_code_of_the_page_runs_from_top_to_bottom(capsys) -> None:
    blocks = re.findall(r"(<!-- not run: [^>]+-->\n)?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    scope: dict = {}
    for skipped, code in blocks:
        if not skipped:
            exec(compile(code, str(PAGE), "exec"), scope)
    assert isinstance(scope["result"].preInterpExposure, Exposure)
    assert "'before_interpolation'" in capsys.readouterr().out
