"""``slotcast cluster isolate`` and ``slotcast reshard``: calendars change their shards.

The first is registered on the cluster group, the second on the root (cluster/cli.py).
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from msgspec.structs import asdict

from actors.domain.ids import ProviderId
from actors.placement import Placement
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.moving.calendar_moves import MovedCalendar
from cluster.site.site import Site, existing_site
from cluster.terminal.terminal import Progressing, Terminal


def isolate(
    provider: Annotated[str, typer.Argument(help="The provider's id: prv_...")],
    *,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a heavily used calendar to a shard of its own, while the site serves.

    If it is interrupted, run it again: it resumes.
    """
    from cluster.moving.isolating import check_can_isolate

    site = existing_site(data)
    check_can_isolate(site, provider)
    moved = asyncio.run(_isolated(site, ProviderId(provider)))
    terminal = Terminal()
    if as_json:
        terminal.json(asdict(moved))
    else:
        terminal.say(
            f"{provider} is at shard {moved.to_shard} now; "
            f"it was unavailable for {moved.pause_ms:,.0f} ms."
        )


async def _isolated(site: Site, provider: ProviderId) -> MovedCalendar:
    from cluster.moving.isolating import isolate as isolate_calendar
    from cluster.wiring.calendars import new_shard, open_links

    async with open_links(site, "isolate") as links:
        prepare = new_shard(site, links)
        return await isolate_calendar(site, provider, links, prepare)


def reshard(
    *,
    shards: Annotated[
        int | None,
        typer.Option(
            help="The new number of shards. One machine: one per two "
            "cores, at least 1; a cluster: ten per node.",
            min=1,
            max=4096,
        ),
    ] = None,
    placement: Annotated[
        Placement | None,
        typer.Option(help="Several providers per shard, or one each."),
    ] = None,
    forget_old: Annotated[
        bool,
        typer.Option("--forget-old", help="Remove journals that are not in force."),
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Spread the calendars over another number of shards. No server may run.

    New journals are written and then activated in one step; if interrupted before that,
    nothing has changed. The old ones are kept until --forget-old.
    """
    site = existing_site(data)
    terminal = Terminal()
    with site.folder.held("reshard"), terminal.progress() as progress:
        outcome = _resharded(site, shards, placement, progress, forget_old=forget_old)
    if as_json:
        terminal.json(outcome)
    else:
        terminal.facts(outcome)


def _resharded(
    site: Site,
    shards: int | None,
    placement: Placement | None,
    progress: Progressing,
    *,
    forget_old: bool,
) -> dict[str, int]:
    from cluster.moving.resharding import as_wanted
    from cluster.moving.resharding import reshard as reshard_site
    from cluster.moving.resharding_after import (
        catch_up,
        forget_old_offsets,
        forget_other_generations,
    )

    clock = SystemClock()
    outcome: dict[str, int] = {}

    async def work() -> Site:
        # A resharding that ended just after its switch is finished here.
        await catch_up(site, clock, progress)
        await forget_old_offsets(site)
        if shards is None and placement is None and forget_old:
            return site
        name = placement.value if placement is not None else None
        wanted = as_wanted(site.layout, shards, name)
        after, done = await reshard_site(site, wanted, clock, progress)
        outcome.update(asdict(done))
        await forget_old_offsets(after)
        await catch_up(after, clock, progress)
        return after

    after = asyncio.run(work())
    if forget_old:
        outcome["forgotten"] = asyncio.run(forget_other_generations(after))
    return outcome
