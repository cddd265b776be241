"""``slotcast cluster drain``, ``undrain``, ``rebalance`` and ``restart-shards``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated

import msgspec
import typer

from actors.domain.ids import ShardId
from cluster.commands.options import DataOption, JsonOption
from cluster.keeping.moves import HandOff
from cluster.keeping.operations import Operations
from cluster.keeping.planner import PlacementPlan
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal

COLUMNS = ("shard", "from", "to", "pause_ms", "total_ms", "epoch", "fault")
NodeArgument = Annotated[str, typer.Argument(help="A node, as `status` names it.")]
HandOffs = Callable[[Operations], AsyncGenerator[HandOff]]


def drain(
    node: NodeArgument, *, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Move every shard away from a node; after success the node may be stopped.

    Nothing is placed there until `undrain`, or until the node joins again. Safe to
    interrupt: the keeper continues, and the command can be run again.
    """
    _carry_out(lambda one: one.drain(node), data, as_json=as_json)


def undrain(node: NodeArgument, *, data: DataOption = None) -> None:
    """Allow shards on a node again."""
    from cluster.keeping.access import open_operations

    site = existing_site(data)

    async def work() -> None:
        async with open_operations(site) as operations:
            await operations.undrain(node)

    asyncio.run(work())
    Terminal().say(f"{node} takes shards again; the keeper moves some to it.")


def rebalance(
    *,
    data: DataOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and do nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Spread the shards evenly over the nodes now, without waiting for the keeper."""
    if dry_run:
        _show_plan(data, as_json=as_json)
    else:
        _carry_out(lambda one: one.rebalance(), data, as_json=as_json)


def restart_shards(
    shards: Annotated[
        list[str] | None, typer.Argument(help="Shards to restart; default: all.")
    ] = None,
    *,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand each shard to a fresh process on its node: an upgrade, shard by shard.

    The new process loads the version installed on its node.
    """
    names: Sequence[ShardId] = [ShardId(name) for name in shards or ()]
    _carry_out(lambda one: one.restart_shards(names), data, as_json=as_json)


def _carry_out(work: HandOffs, data: DataOption, *, as_json: bool) -> None:
    """Show hand-offs as they complete; failures are shown at the end."""
    terminal, site = Terminal(), existing_site(data)
    went: list[HandOff] = []
    problem = asyncio.run(_collect(work, site, went, terminal, as_json=as_json))
    if as_json:
        terminal.json(
            {
                "moved": [msgspec.to_builtins(one) for one in went],
                "problem": problem.wrong if problem else "",
            }
        )
        if problem:
            raise typer.Exit(problem.code)
    elif problem:
        raise problem
    else:
        moved = sum(not one.fault for one in went)
        pause = max((one.pause_ms for one in went), default=0.0)
        terminal.say(f"{moved} shards moved; the longest pause was {pause:.0f} ms.")


async def _collect(
    work: HandOffs,
    site: Site,
    went: list[HandOff],
    terminal: Terminal,
    *,
    as_json: bool,
) -> Obstacle | None:
    from cluster.keeping.access import open_operations

    try:
        async with (
            open_operations(site) as operations,
            # Finish running hand-offs before leaving Ray.
            aclosing(work(operations)) as moves,
        ):
            async for one in moves:
                went.append(one)
                if not as_json:
                    terminal.say(_line(one))
    except Obstacle as obstacle:
        return obstacle
    return None


def _line(one: HandOff) -> str:
    way = f"{one.source} -> {one.target}" if one.source != one.target else one.source
    if one.fault:
        return f"{one.shard}  {way}  not moved: {one.fault}"
    return f"{one.shard}  {way}  pause {one.pause_ms:.0f} ms"


def _show_plan(data: DataOption, *, as_json: bool) -> None:
    from cluster.keeping.access import open_operations

    site = existing_site(data)

    async def work() -> PlacementPlan:
        async with open_operations(site) as operations:
            return await operations.plan_rebalance()

    terminal, made = Terminal(), asyncio.run(work())
    if as_json:
        terminal.json({"moves": [msgspec.to_builtins(move) for move in made.moves]})
    elif made.moves:
        rows = [(move.shard, move.source, move.target) for move in made.moves]
        terminal.table("", COLUMNS[:3], rows)
    else:
        terminal.say("Nothing to move.")
