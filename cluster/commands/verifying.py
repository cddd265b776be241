"""``slotcast verify``: compares journal, calendars, SQL and memory."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from actors.errors import Unavailable
from cluster.checks.verification import Verdict, Verification
from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.site.stores import open_journal, open_snapshots
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Progressing, Terminal

if TYPE_CHECKING:
    from actors.ports import Journal
    from persistence.readmodel.queries.progress import SqlProgress

ATTEMPTS = 3
"""Attempts: a server under load changes while it is read."""


def verify(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Compare the journal with snapshots, SQL and a running server's memory.

    Reads only. Exit code 1 if anything disagrees. Best while no bookings are made:
    differences may be transient, so the comparison is repeated up to three times.
    """
    site = existing_site(data)
    terminal = Terminal()
    with terminal.progress() as progress:
        verdict = asyncio.run(_verified(site, progress))
    if as_json:
        terminal.json(asdict(verdict) | {"agree": not verdict.problems})
    else:
        _tell(terminal, verdict)
    if verdict.problems:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _verified(site: Site, progress: Progressing) -> Verdict:
    from cluster.wiring.calendars import open_links
    from persistence.readmodel.queries.progress import SqlProgress
    from persistence.sql.engine import open_engine

    journal = open_journal(site.stores)
    snapshots = open_snapshots(site.stores)
    engine = open_engine(site.database_url, role="reader")
    try:
        verdict = Verdict()
        running = site.folder.is_locked()
        if not running and not site.settings.database:
            await _must_be_projected(journal, SqlProgress(engine))
        for _ in range(ATTEMPTS):
            verification = Verification(
                *(journal, snapshots, engine, site.settings.policy),
                lambda done, total: progress("events", done, total),
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


async def _must_be_projected(journal: Journal, progress: SqlProgress) -> None:
    """Return if the read model has caught up.

    Without a server it cannot catch up later.

    Raises:
        Obstacle: it is behind; names the number of events and the command to run.
    """
    try:
        reached = await progress.offsets()
    except Unavailable:  # the file has no tables yet, or is damaged
        reached = {}
    ends = {shard: await journal.last_seq(shard) for shard in await journal.shards()}
    waiting = sum(max(0, end - reached.get(one, 0)) for one, end in ends.items())
    if waiting:
        raise Obstacle(
            f"The read model is {waiting:,} events behind the journal, and no server "
            "is running to project them.",
            "Start the server and verify again, or run: slotcast projection rebuild",
            code=FOUND_A_PROBLEM,
        )


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
