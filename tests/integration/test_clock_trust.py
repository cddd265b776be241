"""An operator's word about the clock reaches every shard that needs it."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from actors.domain.ids import Millis, Minute, ShardId
from actors.domain.messages.answers import HoldView
from actors.domain.messages.events import ClockTrusted, WindowAdvanced
from actors.ports import Record
from cluster.checks.clock_trust import trust_clock
from cluster.clock import SystemClock
from cluster.site.settings import read_settings
from cluster.site.site import Site, site_made_if_needed
from cluster.site.stores import open_journal
from cluster.wiring.calendars import open_calendars
from tests.unit.actors import practice as p

AHEAD_MS = 400 * 86_400_000


async def _spoil(site: Site) -> ShardId:
    """The last record of Ana's shard is of a clock far ahead."""
    journal = open_journal(site.stores)
    for shard in await journal.shards():
        records = await journal.read(shard, 0, 1_000)
        mine = [one for one in records if one.event.provider_id == p.ANA]
        if mine:
            at = Millis(SystemClock().now() + AHEAD_MS)
            event = WindowAdvanced(
                provider_id=p.ANA,
                at=at,
                version=mine[-1].event.version + 1,
                until=Minute(at // 300_000 * 5),
            )
            sealed = await journal.seal(shard)
            await journal.append(shard, sealed.epoch, sealed.last_seq, [event])
            await journal.close()
            return shard
    raise AssertionError("Ana is in no journal")


async def _records(site: Site, shard: ShardId) -> list[Record]:
    journal = open_journal(site.stores)
    try:
        return list(await journal.read(shard, 0, 1_000))
    finally:
        await journal.close()


def test_the_command_lowers_the_time_of_the_shard_that_is_ahead(tmp_path: Path) -> None:
    """Without a server, once, and recorded; a dry run changes nothing."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=2)
    site = site_made_if_needed(settings, date(2026, 9, 1))
    now = SystemClock().now()

    async def work() -> None:
        async with open_calendars(site, "a test") as calendars:
            for command in (*p.opened(p.ANA), *p.opened(p.BEN)):
                await calendars.ask(command)
        shard = await _spoil(site)
        before = await _records(site, shard)
        assert list(await trust_clock(site, now, dry_run=True)) == [shard]
        assert await _records(site, shard) == before
        (told,) = (await trust_clock(site, now, dry_run=False)).items()
        assert told[0] == shard
        assert abs(told[1].ahead_ms - AHEAD_MS) < 600_000
        event = next(
            one.event
            for one in await _records(site, shard)
            if isinstance(one.event, ClockTrusted)
        )
        assert event.ahead_of - event.at > AHEAD_MS - 600_000
        assert await trust_clock(site, now, dry_run=False) == {}

    asyncio.run(work())


def test_what_was_closed_can_be_held_afterwards(tmp_path: Path) -> None:
    """The next nine o'clock is offered again, now that time is right."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=1)
    site = site_made_if_needed(settings, date(2026, 9, 1))
    day = SystemClock().now() // 86_400_000 + 2
    places = (day * 1440 + 540 - p.NINE) // 30

    async def work() -> None:
        async with open_calendars(site, "a test") as calendars:
            for command in p.opened():
                await calendars.ask(command)
        await _spoil(site)
        async with open_calendars(site, "a test") as calendars:
            refused = await calendars.ask(p.hold("a", places))
            assert not isinstance(refused, HoldView)
        await trust_clock(site, SystemClock().now(), dry_run=False)
        async with open_calendars(site, "a test") as calendars:
            held = await calendars.ask(p.hold("b", places))
            assert isinstance(held, HoldView), held

    asyncio.run(work())
