"""An operator's confirmation that the clock is right and the journal ahead of it.

After a restart no program can tell which of the two is wrong. The shard journals the
confirmation (ClockTrusted) and uses the clock from then on.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.commands import TrustClock
from actors.ports import Journal
from actors.shard.clock_watch import STEP_MS
from cluster.site.site import Site
from cluster.site.stores import open_journal
from cluster.wiring.calendars import open_calendars


class Ahead(Struct, frozen=True):
    """A shard whose journal is ahead of the clock, and one of its calendars."""

    provider_id: ProviderId
    ahead_ms: int


async def journals_ahead(journal: Journal, now: Millis) -> Mapping[ShardId, Ahead]:
    """Shards whose newest record was written more than a correction after ``now``."""
    found: dict[ShardId, Ahead] = {}
    for shard in await journal.shards():
        end = await journal.last_seq(shard)
        for record in await journal.read(shard, max(0, end - 1), 1):
            event = record.event
            if event.at - now > STEP_MS:
                found[shard] = Ahead(event.provider_id, event.at - now)
    return found


async def trust_clock(
    site: Site, now: Millis, *, dry_run: bool
) -> Mapping[ShardId, Ahead]:
    """Make every shard whose journal is ahead use the clock; returns those shards.

    Raises:
        Obstacle: the site cannot be reached.
        Unavailable: no answer in time, or the clock is not trusted; retry.
    """
    journal = open_journal(site.stores)
    try:
        found = await journals_ahead(journal, now)
    finally:
        await journal.close()
    if found and not dry_run:
        async with open_calendars(site, "slotcast journal trust-clock") as calendars:
            for one in found.values():
                await calendars.ask(TrustClock(provider_id=one.provider_id))
    return found
