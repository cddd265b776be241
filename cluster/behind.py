"""The processes behind requests, as a server and a node start them.

They run for weeks, so they load what they need and no command line: Typer, Rich and
the modules of all other commands are 8 to 12 MiB for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

IN_TURN = "--in-turn"


def behind_requests(words: Sequence[str]) -> Callable[[], None] | None:
    """What these words of a command line start; None: another command."""
    match words:
        case ["project"]:
            return run_projector
        case ["project", option] if option == IN_TURN:
            return partial(run_projector, in_turn=True)
        case ["work"]:
            return run_worker
        case ["work", "--index", number] if number.isdecimal():
            return partial(run_worker, index=int(number))
        case _:
            return None


def run_projector(data: Path | None = None, *, in_turn: bool = False) -> None:
    """Write the read model until told to stop.

    ``in_turn``: stand by while another node's projector is active.

    Raises:
        Obstacle: the data folder cannot be used.
    """
    import uvloop

    from cluster.logs import log_to
    from cluster.server.projector import follow_journal
    from cluster.site.site import existing_site

    site = existing_site(data)
    log_to(site.folder.logs / "projector.log", site.settings.log_level)
    if in_turn:
        from cluster.node.keeper import project_in_turn

        uvloop.run(project_in_turn(site))
        return
    uvloop.run(follow_journal(site))


def run_worker(data: Path | None = None, *, index: int = 0) -> None:
    """Run background jobs until told to stop.

    Raises:
        Obstacle: the data folder cannot be used.
    """
    from cluster.logs import log_to
    from cluster.site.site import existing_site
    from cluster.work.process import work

    site = existing_site(data)
    log_to(site.folder.logs / f"worker-{index}.log", site.settings.log_level)
    asyncio.run(work(site, index))
