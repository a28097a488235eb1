"""A program that processes the last night of a repository: what the crash tests kill."""

from __future__ import annotations

import sys

from flows.night import run_night
from flows.repo import open_repo

if __name__ == "__main__":
    with open_repo(sys.argv[1]) as repo:
        sys.exit(run_night(repo, "last", engine=sys.argv[2], workers=2).exit_code)
