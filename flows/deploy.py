"""The serving flow: a process that stays, and processes the last night at the same hour every day.

``python -m flows.deploy --repo DIR --cron "0 16 * * *" --timezone America/Santiago``, with PREFECT_API_URL set. It ends
on SIGTERM when the night at hand is done; what it did not reach, the next night's run or any hand will do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from prefect.schedules import Cron

from flows.engine_prefect import night_flow
from flows.repo import find_repo


def serve(repository: str | None = None, *, cron: str = "0 16 * * *", timezone: str = "UTC") -> None:
    """Serve the nightly flow of a repository until told to end.

    Parameters
    ----------
    repository
        As `flows.repo.find_repo` takes it.
    cron, timezone
        When to process the last night: by default at 16:00 UTC.

    Raises
    ------
    UnavailableError
        If there is no repository.
    """
    root = find_repo(repository)
    night_flow.serve(
        name="nightly",
        parameters={"repository": str(root), "day": "last"},
        schedule=Cron(cron, timezone=timezone),
        limit=1,  # two nights at once would only wait for each other's processors
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.deploy", description=__doc__)
    parser.add_argument("--repo", help="the repository; by default ISRFLOW_REPO or the current directory")
    parser.add_argument("--cron", default="0 16 * * *", help="when to process the last night (default: %(default)s)")
    parser.add_argument("--timezone", default="UTC", help="in which CRON is meant (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    serve(options.repo, cron=options.cron, timezone=options.timezone)
