"""The command ``isrflow``; one small file a group of commands, each importing its work when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    import sys

    from flows.cli.app import run

    sys.exit(run())
