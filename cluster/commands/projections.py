"""``slotcast projection …``, ``directory rebuild`` and ``migrate``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import typer

from actors.domain.ids import ShardId
from care.readmodel import ShardLag
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.site.stores import open_journal, open_snapshots
from cluster.terminal.obstacle import FOUND_A_PROBLEM
from cluster.terminal.terminal import Progressing, Terminal

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from actors.ports import Journal

projection = typer.Typer(
    help="The read model behind the journal.", no_args_is_help=True
)


directory = typer.Typer(
    help="Clinics and providers, as searches know them.", no_args_is_help=True
)


@projection.command()
def status(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """How far the read model is behind, in events and seconds."""
    from sqlalchemy.exc import DBAPIError

    from persistence.readmodel.projection.store import StoreUnavailable
    from persistence.sql.engine import reason_of

    terminal = Terminal()
    site = existing_site(data)
    away = ""
    try:
        rows = [_row(lag) for lag in asyncio.run(_lags(site))]
    except (StoreUnavailable, DBAPIError, OSError) as error:
        # The journal's end is known without SQL; the projected position only from SQL.
        away = reason_of(error)
        ends = asyncio.run(_ends(site))
        rows = [(shard, end, None, None, None) for shard, end in ends.items()]
    columns = ("shard", "journal", "projected", "lag_events", "lag_seconds")
    if as_json:
        terminal.json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        terminal.table("", columns, rows)
    if away:
        terminal.note(f"The read model does not answer ({away}).", style="red")
        terminal.note("Bookings go on, and it catches up by itself when it is back.")
        raise typer.Exit(FOUND_A_PROBLEM)


def _row(lag: ShardLag) -> tuple[str, int, int | None, int | None, float | None]:
    since = lag.oldest_waiting_at
    now = SystemClock().now()
    seconds = 0.0 if since is None else max(0.0, (now - since) / 1000)
    return lag.shard, lag.journal_seq, lag.projected_seq, lag.events, seconds


@projection.command()
def rebuild(*, data: DataOption = None) -> None:
    """Rebuild the read model from the journal; safe while a server runs.

    Records (accounts, documents, jobs) are not touched: they are not in the journal.
    """
    from persistence.readmodel.rebuilding.from_calendars import RebuildImpossible

    terminal = Terminal()
    site = existing_site(data)
    try:
        with terminal.progress() as progress:
            asyncio.run(_rebuild(site, progress))
    except RebuildImpossible as error:
        terminal.note(f"Nothing was changed: {error}", style="red")
        raise typer.Exit(FOUND_A_PROBLEM) from error
    terminal.say("The read model has been made again.")


@projection.command()
def conflicts(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Events that could not be projected; exit code 1 if there are any."""
    terminal = Terminal()
    parked = asyncio.run(_parked(existing_site(data)))
    if as_json:
        terminal.json(parked)
    elif parked:
        terminal.facts(parked)
    else:
        terminal.say("No event is parked.")
    if any(parked.values()):
        raise typer.Exit(FOUND_A_PROBLEM)


@directory.callback()
def _directory() -> None:
    """Keeps the group of commands, although there is one."""


@directory.command("rebuild")
def reread(*, data: DataOption = None) -> None:
    """Read all providers as a search does, and let every gateway do so again.

    Safe while a server runs: gateways answer from what they know until they have read
    all. Only needed if rows were changed by other means than Slotcast.
    """
    terminal = Terminal()
    site = existing_site(data)
    with terminal.progress() as progress:
        providers, megabytes = asyncio.run(_reread(site, progress))
    terminal.say(
        f"{providers} providers can be found; they take {megabytes:.1f} MB in each "
        "gateway. Gateways that run read them again now."
    )


def migrate(*, data: DataOption = None) -> None:
    """Migrate the tables of the read model and of the records to this version."""
    from persistence.readmodel.tables import READ_MODEL
    from persistence.records.models import RECORDS
    from persistence.sql.migrating import migrate as migrate_tables

    site = existing_site(data)
    asyncio.run(migrate_tables(site.database_url, READ_MODEL))
    asyncio.run(migrate_tables(site.records_url, RECORDS))
    Terminal().say("The tables of read model and records are up to date.")


async def _lags(site: Site) -> Sequence[ShardLag]:
    from persistence.readmodel.rebuilding.rebuild import status as projection_status

    async with _opened(site, "reader") as (journal, engine):
        return await projection_status(journal, engine)


async def _ends(site: Site) -> dict[ShardId, int]:
    journal = open_journal(site.stores)
    try:
        return {one: await journal.last_seq(one) for one in await journal.shards()}
    finally:
        await journal.close()


async def _rebuild(site: Site, progress: Progressing) -> None:
    """Rebuild; if no server runs, a damaged file is put aside first."""
    from sqlalchemy.exc import DBAPIError

    from persistence.readmodel.projection.store import StoreUnavailable
    from persistence.sql.damage import is_damaged
    from persistence.sql.engine import sqlite_file

    file = sqlite_file(site.database_url)
    try:
        await _rebuild_rows(site, progress)
    except (DBAPIError, StoreUnavailable) as error:
        if file is None or not is_damaged(error) or site.folder.is_locked():
            raise
        aside = file.put_aside(SystemClock().now())
        Terminal().note(f"The read model was damaged; it is now {aside}.")
        await _rebuild_rows(site, progress)
    if file is not None:
        file.is_anew()


async def _rebuild_rows(site: Site, progress: Progressing) -> None:
    from persistence.readmodel.rebuilding.from_calendars import SnapshotSeeds
    from persistence.readmodel.rebuilding.rebuild import rebuild as rebuild_read_model

    snapshots = open_snapshots(site.stores)
    try:
        async with _opened(site, "upkeep") as (journal, engine):
            await rebuild_read_model(
                journal,
                engine,
                SystemClock(),
                lambda done, total: progress("events", done, total),
                seeds=SnapshotSeeds(snapshots, site.settings.policy),
                cell_minutes=site.settings.cell_minutes,
            )
    finally:
        await snapshots.close()


async def _parked(site: Site) -> dict[str, int]:
    from persistence.readmodel.queries.progress import SqlProgress

    async with _opened(site, "reader") as (_, engine):
        return dict(await SqlProgress(engine).parked())


@asynccontextmanager
async def _opened(
    site: Site, role: Literal["reader", "upkeep"]
) -> AsyncIterator[tuple[Journal, AsyncEngine]]:
    """The site's journal, for reading, and its read model, migrated."""
    from persistence.readmodel.tables import READ_MODEL
    from persistence.sql.engine import open_engine
    from persistence.sql.migrating import migrate as migrate_tables

    await migrate_tables(site.database_url, READ_MODEL)
    journal = open_journal(site.stores)
    engine = open_engine(site.database_url, role)
    try:
        yield journal, engine
    finally:
        await engine.dispose()
        await journal.close()


async def _reread(site: Site, progress: Progressing) -> tuple[int, float]:
    from gateway.directory.roster.roster import Roster
    from persistence.directory.entries import tell_of_everything
    from persistence.directory.roster_source import SqlRosterSource
    from persistence.readmodel.tables import READ_MODEL
    from persistence.records.models import RECORDS
    from persistence.sql.engine import open_engine
    from persistence.sql.migrating import migrate
    from persistence.sql.records import Records

    await migrate(site.database_url, READ_MODEL)
    await migrate(site.records_url, RECORDS)
    engine, records = (
        open_engine(site.database_url, "upkeep"),
        Records(site.records_url),
    )
    try:
        source = SqlRosterSource(engine, records)
        roster = Roster(await source.specialties())
        total, done = await source.count(), 0
        async for rows in source.all():
            roster.put_all(rows)
            done += len(rows)
            progress("providers", done, max(total, done))
        await tell_of_everything(records)
    finally:
        await engine.dispose()
        await records.close()
    return len(roster), roster.nbytes / 1e6
