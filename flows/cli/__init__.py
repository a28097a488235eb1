"""The command ``isrflow``; one small file a group of commands, each importing its work when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    import os
    import sys

    from flows.cli.app import run

    code = run()
    engine = sys.modules.get("flows.engine")
    if engine is not None and engine.lost_servers:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Prefect would try for minutes to tell a dead server what happened
    sys.exit(code)
