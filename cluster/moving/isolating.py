"""``slotcast cluster isolate``: a heavily used calendar gets a shard of its own.

The steps are those of calendar_moves.py. It works with or without a running server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from actors.domain.ids import ProviderId, ShardId, is_provider_id
from actors.placement import Placement, isolated_shard, placing
from actors.ports import ShardLinks
from cluster.clock import SystemClock
from cluster.moving.calendar_moves import (
    CalendarMover,
    MoveBroken,
    MovedCalendar,
    NoSuchProvider,
)
from cluster.site.data_folder import Layout
from cluster.site.layout_change import change_layout
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle

Prepare = Callable[[ShardId], None]
"""Starts or finds the process of a new shard. May block."""


async def isolate(
    site: Site, provider: ProviderId, links: ShardLinks, prepare: Prepare
) -> MovedCalendar:
    """Give a provider a shard of its own, or finish doing so.

    Raises:
        Obstacle: it cannot be done, or must be run again.
    """
    check_can_isolate(site, provider)
    layout = site.layout
    home = placing(
        Placement(layout.placement), layout.shards, generation=layout.generation
    )(provider)
    own = isolated_shard(provider, layout.generation)
    mover = CalendarMover(links, SystemClock())
    try:
        await mover.find(
            provider, home
        )  # an unknown provider must leave no shard behind
        links.moved(
            provider, own
        )  # lets this process reach the calendar in either shard
        await asyncio.to_thread(prepare, own)
        moved = await mover.move(provider, home, own)
    except NoSuchProvider as error:
        raise Obstacle(
            f"There is no provider {provider}.", "Check the id: slotcast status."
        ) from error
    except MoveBroken as error:
        raise Obstacle(
            f"The move was interrupted: {error}.",
            "Until it is finished the calendar answers 503. Run this command again.",
        ) from error

    def named(layout: Layout) -> Layout:
        if layout.generation != site.layout.generation:
            raise Obstacle(
                "The site was resharded meanwhile; this move was made "
                "in the previous journals and has no effect.",
                "Run this command again.",
            )
        return replace(layout, isolated={**layout.isolated, provider: own})

    await asyncio.to_thread(change_layout, site, named)
    return moved


def check_can_isolate(site: Site, provider: str) -> None:
    """Raises Obstacle: this provider cannot have a shard of its own."""
    if not is_provider_id(provider):
        raise Obstacle(
            f"{provider!r} is not a provider id.", "An id looks like prv_0042."
        )
    if Placement(site.layout.placement) is Placement.PROVIDER:
        raise Obstacle(
            "With placement=provider every provider has a shard of its own already.",
            "There is nothing to do.",
        )
