"""Fills a new site with many providers at once, as a process of its own.

    python -m tests.benchmarks.search_fill --providers 100000 [--practices FILE]

The site is that of the environment, with its journal in Redis. Events and snapshots go
straight into the stores of its one shard, so that all calendars begin as long dormant
ones do: stored, and not in memory. Rows of the read model come from the projector, as
always; entries and ratings are inserted many at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import json
from sqlalchemy import insert

from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import encode
from actors.domain.calendar.state import CalendarState
from actors.domain.messages.events import AvailabilitySet, Event, ProviderRegistered
from actors.domain.rules import Policy, Profile
from actors.ports import StoredCalendar
from cluster.clock import SystemClock
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.site.stores import open_journal, open_snapshots
from cluster.wiring.calendars import fixed_shards, open_directory
from persistence.directory.models import ProviderEntryRecord, ProviderRatingRecord
from persistence.readmodel.projection.projector import Projector
from persistence.readmodel.projection.sql import SqlProjectionStore
from persistence.records.models import RECORDS
from persistence.sql.engine import open_engine
from persistence.sql.migrating import migrate
from persistence.sql.records import Records
from tests.benchmarks.gauging import say
from tests.benchmarks.search_people import PER_PRACTICE, Person, invented, practices

CALENDARS_AT_ONCE = 250
ROWS_AT_ONCE = 1_000


def events_of(one: Person, at: Any) -> tuple[Event, Event]:
    """The registration and the opening rules."""
    row = one.row
    profile = Profile(row.name, row.specialty, row.clinic, row.languages)
    provider = row.provider_id
    return (
        ProviderRegistered(provider_id=provider, at=at, version=1, profile=profile),
        AvailabilitySet(
            provider_id=provider, at=at, version=2, availability=one.availability
        ),
    )


async def write_calendars(site: Site, people: Sequence[Person]) -> None:
    """Their events and snapshots, into the journal of the only shard."""
    (shard,) = fixed_shards(site)
    journal, snapshots = open_journal(site.stores), open_snapshots(site.stores)
    now, policy = SystemClock().now(), site.settings.policy
    try:
        sealed = await journal.seal(shard)
        epoch, seq = sealed.epoch, sealed.last_seq
        for some in _chunks(people, CALENDARS_AT_ONCE):
            events: list[Event] = []
            stored = {}
            for one in some:
                its = events_of(one, now)
                events += its
                blob = _snapshot(its, policy, epoch)
                last = seq + len(events)
                stored[one.row.provider_id] = StoredCalendar(last, blob)
            seq = await journal.append(shard, epoch, seq, events)
            await snapshots.save(shard, epoch, stored)
        await snapshots.advance(shard, epoch, seq)
    finally:
        await snapshots.close()
        await journal.close()


def _snapshot(events: Sequence[Event], policy: Policy, epoch: int) -> bytes:
    state = CalendarState(events[0].provider_id, policy)
    for event in events:
        apply(state, event, epoch)
    return encode(state)


async def project(site: Site) -> None:
    """Let the read model catch up with the journal."""
    journal = open_journal(site.stores)
    engine = open_engine(site.database_url, "projector")
    try:
        projector = Projector(journal, SqlProjectionStore(engine), SystemClock())
        while await projector.step():
            pass
    finally:
        await engine.dispose()
        await journal.close()


async def write_entries(site: Site, people: Sequence[Person]) -> None:
    """Entries of the directory and ratings."""
    await migrate(site.records_url, RECORDS)
    records = Records(site.records_url)
    try:
        for some in _chunks(people, ROWS_AT_ONCE):
            entries = [
                {
                    "provider_id": one.row.provider_id,
                    "version": 1,
                    "content": json.encode(one.row.entry).decode(),
                }
                for one in some
            ]
            ratings = [
                {
                    "provider_id": one.row.provider_id,
                    "total": one.row.rating.total,
                    "count": one.row.rating.count,
                }
                for one in some
                if one.row.rating is not None
            ]
            async with records.writing() as session:
                await session.execute(insert(ProviderEntryRecord), entries)
                await session.execute(insert(ProviderRatingRecord), ratings)
    finally:
        await records.close()


def _chunks(people: Sequence[Person], size: int) -> Iterator[Sequence[Person]]:
    for start in range(0, len(people), size):
        yield people[start : start + size]


async def fill(site: Site, path: Path | None, count: int) -> None:
    """Everything, step by step, and how long each took."""
    began = time.monotonic()

    def step(what: str) -> None:
        nonlocal began
        now = time.monotonic()
        say(f"{what}: {now - began:.1f} s")
        began = now

    clinics = practices(path, max(1, count // PER_PRACTICE))
    people = invented(clinics, count)
    step(f"{len(people)} providers of {len(clinics)} practices invented")
    async with open_directory(site) as directory:
        await directory.put_clinics(clinics)
    step("practices")
    await write_calendars(site, people)
    step("journal and snapshots")
    await write_entries(site, people)
    step("entries and ratings")
    await project(site)
    step("read model")


def main() -> None:
    """Fill the site of the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--providers", type=int, default=100_000)
    parser.add_argument("--practices", type=Path, default=None)
    options = parser.parse_args()
    site = site_made_if_needed(read_settings(), SystemClock().today())
    asyncio.run(fill(site, options.practices, options.providers))


if __name__ == "__main__":
    main()
