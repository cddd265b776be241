"""A stopping node hands its shards over.

Nothing would be lost without it, but its calendars would pause until Ray notices that
the node is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from contextlib import suppress

from cluster.node.plan import NodePlan, own_start
from cluster.own_ray.raylet import head_answers
from cluster.server.children import tethered
from cluster.site.run_file import marks_of_descendants
from cluster.terminal.terminal import Terminal

log = logging.getLogger(__name__)

HAND_OVER_S = 60.0
"""Time limit of the hand-over in seconds: a shard takes about one."""
ENDING_S = 2.0
SHARD_PROCESS = "ray::Shard"
"""How Ray names the process of a shard, at its beginning: ShardActor, and a call."""


async def hand_over(plan: NodePlan, terminal: Terminal) -> None:
    """Hand this node's shards over to other nodes, if there are any; bounded.

    Shards left here afterwards open elsewhere, as after the loss of a node.
    """
    count = shards_here()
    if plan.is_head or not count:
        return
    if not await head_answers(plan.ray_address):
        terminal.note(
            f"the head is away: {count} shards cannot be handed over, and pause "
            "until it is back",
            style="yellow",
        )
        return
    terminal.note(
        f"handing {count} shards over, for at most {HAND_OVER_S:.0f} s "
        "(once more to force the stop)"
    )
    went_well = await _drained(plan, terminal)
    left = shards_here()
    log.info("hand-over ends, %d of %d shards left", left, count)
    if left and not went_well:
        terminal.note(
            f"{left} shards were not handed over; they open elsewhere when this node "
            "is gone",
            style="yellow",
        )


def shards_here() -> int:
    """Number of shards with a process on this node; for its supervisor."""
    marks = marks_of_descendants()
    return sum(mark.name.startswith(SHARD_PROCESS) for mark in marks)


async def _drained(plan: NodePlan, terminal: Terminal) -> bool:
    """Run ``slotcast cluster drain``; returns whether it succeeded.

    In a separate process, since the supervisor is no driver of Ray and must not hang.
    """
    start = own_start(plan, "cluster", "drain", plan.name)
    process = await asyncio.create_subprocess_exec(
        *tethered(start.command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **start.environment},
        start_new_session=True,  # Ctrl-C is for the supervisor
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(HAND_OVER_S):
            async for line in process.stdout:
                terminal.note(f"  {line.decode(errors='replace').rstrip()}")
            return await process.wait() == 0
    except TimeoutError:
        terminal.note(f"  not done in {HAND_OVER_S:.0f} s", style="yellow")
        return False
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """An interrupted hand-off is repaired by itself."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), ENDING_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
