"""``slotcast work`` runs background jobs; ``slotcast jobs`` shows and resends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.behind import run_worker
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from care.jobs.jobs import DeadJob, JobCounts
    from care.jobs.ports import JobSource

jobs = typer.Typer(no_args_is_help=True, help="Background jobs.")

DEAD_SHOWN = 50
"""Maximum number of dead letters shown at once."""


def work(
    *,
    index: Annotated[int, typer.Option(help="Its number on this node.")] = 0,
    data: DataOption = None,
) -> None:
    """Run background jobs until told to stop."""
    run_worker(data, index=index)


@jobs.command("list")
def list_jobs(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how many jobs wait, are done, and are dead letters."""
    found = asyncio.run(_counts(existing_site(data)))
    facts = {
        f"{name} {state}": getattr(counts, state)
        for name, counts in found.items()
        for state in ("waiting", "done", "dead")
    }
    terminal = Terminal()
    if as_json:
        terminal.json(facts)
    else:
        terminal.facts(facts)


@jobs.command()
def dead(
    *,
    after: Annotated[
        int, typer.Option(help="Show only dead letters with a greater id.")
    ] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters: jobs that are not tried again until they are resent."""
    found = asyncio.run(_dead(existing_site(data), after))
    terminal = Terminal()
    if as_json:
        terminal.json(
            {
                "dead": [
                    {
                        "source": name,
                        "id": one.id,
                        "kind": one.kind,
                        "key": one.key,
                        "attempts": one.attempts,
                        "error": one.error,
                    }
                    for name, one in found
                ]
            }
        )
        return
    if not found:
        terminal.say("No dead letters.")
    for name, one in found:
        terminal.say(
            f"{name} {one.id}  {one.kind}  {one.key}  "
            f"{one.attempts} attempts: {one.error}"
        )


@jobs.command()
def resend(
    ids: Annotated[
        list[int] | None, typer.Argument(help="Ids of dead letters; none: all.")
    ] = None,
    *,
    source: Annotated[str, typer.Option(help="jobs or outbox.")] = "jobs",
    data: DataOption = None,
) -> None:
    """Resend dead letters, after their cause has been removed."""
    count = asyncio.run(_resend(existing_site(data), source, ids))
    Terminal().say(f"{count} made due again.")


@asynccontextmanager
async def _sources(site: Site) -> AsyncIterator[dict[str, JobSource]]:
    from persistence.jobs.queue import SqlJobQueue, outbox_of
    from persistence.sql.engine import open_engine
    from persistence.sql.records import Records

    records = Records(site.records_url)
    outbox = open_engine(site.database_url, "writer")
    try:
        yield {"jobs": SqlJobQueue(records.engine), "outbox": outbox_of(outbox)}
    finally:
        await records.close()
        await outbox.dispose()


async def _counts(site: Site) -> dict[str, JobCounts]:
    async with _sources(site) as sources:
        now = SystemClock().now()
        return {name: await one.counts(now) for name, one in sources.items()}


async def _dead(site: Site, after: int) -> list[tuple[str, DeadJob]]:
    async with _sources(site) as sources:
        return [
            (name, letter)
            for name, one in sources.items()
            for letter in await one.dead(after=after, limit=DEAD_SHOWN)
        ]


async def _resend(site: Site, source: str, ids: list[int] | None) -> int:
    async with _sources(site) as sources:
        if source not in sources:
            raise typer.BadParameter("--source is jobs or outbox")
        return await sources[source].resend(ids or None, now=SystemClock().now())
