"""How many watchers this machine and one gateway process can hold."""

from __future__ import annotations

import resource

from loadtests.crowd.processes import PROCESSES

FILES_SPARE = 200
"""Open files of a process beside its watchers."""
GATEWAY_WATCHERS_MAX = 19_000
"""One gateway process accepts 20,000; the rest is left for other connections."""


class TooManyWatchers(ValueError):
    """More watchers than this machine or one server process holds; names the most."""


def room_for(watchers: int) -> int:
    """Processes that can hold this many. Raises TooManyWatchers.

    Raises this process's soft limit of open files to the hard one; children inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    each = hard - FILES_SPARE
    # The server holds all of them in one process, under the same limit.
    most = max(0, min(each, GATEWAY_WATCHERS_MAX))
    if watchers > most:
        raise TooManyWatchers(f"At most {most:,} watchers fit into one server here.")
    return max(PROCESSES, -(-watchers // each))
