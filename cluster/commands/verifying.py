"""``slotcast verify``: do journal, calendars, SQL and memory tell one story?"""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.obstacle import FOUND_A_PROBLEM
from cluster.site import Site, existing_site
from cluster.stores import open_journal, open_snapshots
from cluster.terminal import Terminal
from cluster.verification import Verdict, Verification

ATTEMPTS = 3
"""A server at work moves on while it is read; a quiet one agrees at once."""


def verify(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Compare the journal with snapshots, SQL and a running server's memory.

    Reads only. Exit code 1 if anything disagrees. Best while nobody is booking:
    differences that go away by themselves are looked at again, three times at most.
    """
    site = existing_site(data)
    verdict = asyncio.run(_verified(site))
    terminal = Terminal()
    if as_json:
        terminal.json(asdict(verdict) | {"agree": not verdict.problems})
    else:
        _tell(terminal, verdict)
    if verdict.problems:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _verified(site: Site) -> Verdict:
    from cluster.bootstrap import open_links
    from persistence.engine import open_engine
    from persistence.progress import SqlProgress

    journal = open_journal(site.stores)
    snapshots = open_snapshots(site.stores)
    engine = open_engine(site.database_url, role="reader")
    try:
        verdict = Verdict()
        running = site.folder.is_locked()
        for _ in range(ATTEMPTS):
            verification = Verification(
                journal, snapshots, engine, site.settings.policy
            )
            if running:
                async with open_links(site, "verify") as links:
                    verdict = await verification.run(SqlProgress(engine), links)
            else:
                verdict = await verification.run(SqlProgress(engine), None)
            if not verdict.problems:
                break
        return verdict
    finally:
        await engine.dispose()
        await snapshots.close()
        await journal.close()


def _tell(terminal: Terminal, verdict: Verdict) -> None:
    terminal.say(
        f"{verdict.events:,} events of {verdict.calendars:,} calendars in "
        f"{verdict.shards} shards; {verdict.bookings:,} bookings, "
        f"{verdict.claims:,} claimed cells; {verdict.snapshots_compared:,} snapshots "
        f"and {verdict.positions_compared:,} positions in memory compared"
    )
    for problem in verdict.problems:
        terminal.say(f"  {problem}")
    terminal.say("They disagree." if verdict.problems else "All agree.")
