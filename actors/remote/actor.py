"""A shard as a Ray actor: its class, its two names, how it is created.

Ray gives placement, restart and transport. It does not give single activation (the
journal's epochs do), durability (the journal does) or at-most-once (keys do).

Every method of ``ShardActor`` runs in the default concurrency group, for each group
has a loop of its own and a shard has one writer. See docs/decisions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.domain.ids import ShardId
from actors.hosting.process import ShardHost, ShardSpec
from actors.remote.labels import NODE_LABEL
from actors.remote.lines import ShardEndpoint

ActorHandle = Any
"""Ray's actor handle; its methods have a ``remote``."""
NAMESPACE = "slotcast"
"""Names of actors live in it; without one each driver has a namespace of its own."""
PREFIX = "shard-"


class ShardActor(ShardHost):
    """One shard in an actor. Its constructor never raises."""

    def __init__(self, shard: str, spec: ShardSpec, *, warm: bool = False) -> None:
        super().__init__(shard, spec, warm=warm)
        self._door = ShardEndpoint(self)

    async def door(self) -> str:
        """``host:port`` of the RPC server for the same calls without Ray.

        On the node's address, which Ray listens on too. Empty: nowhere.
        """
        return await self._door.address(ray.util.get_node_ip_address())

    async def leave(self) -> None:
        """Exit for good; called by this process itself, since Ray requires a call."""
        ray.actor.exit_actor()

    def _leave(self) -> None:
        ray.get_runtime_context().current_actor.leave.remote()

    def _crash(self) -> None:
        """Exit: a new process, started by Ray, reads the outcome from the journal."""
        os._exit(1)

    async def _where(self) -> tuple[str, bool]:
        return await asyncio.to_thread(_place_of_this_process)


def _place_of_this_process() -> tuple[str, bool]:
    """Blocks for a round trip to Ray's head. Not known counts as a stand-in."""
    context = ray.get_runtime_context()
    node = node_name(context.get_node_id(), context.get_node_labels())
    try:
        return node, bool(context.was_current_actor_reconstructed)
    except Exception:  # noqa: BLE001 - the head is away: without it no process is warm
        return node, True


def node_name(node_id: str, labels: dict[str, Any]) -> str:
    """A node's name as its operator gave it, or the beginning of Ray's own id."""
    name = labels.get(NODE_LABEL) or node_id[:12]
    return str(name[0] if isinstance(name, list) else name)


def actor_names(shard: ShardId) -> tuple[str, str]:
    """The two names of a shard's actor: a successor takes the one that is free."""
    return f"{PREFIX}{shard}", f"{PREFIX}{shard}+"


def shard_of_name(name: str) -> ShardId | None:
    """The shard that an actor of this name serves; None for any other actor."""
    if not name.startswith(PREFIX):
        return None
    return ShardId(name.removeprefix(PREFIX).removesuffix("+"))


def create_actor(
    shard: ShardId,
    spec: ShardSpec,
    *,
    name: str = "",
    node_id: str = "",
    warm: bool = False,
) -> ActorHandle:
    """Create the shard's actor, or find it; blocks for a round trip to Ray's head.

    The actor outlives its creator (detached) and is restarted for ever: on the node
    ``node_id`` (hex, from Ray), or elsewhere once that is lost.
    """
    options = ray.remote(ShardActor).options(
        name=name or actor_names(shard)[0],
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=0,
        num_cpus=spec.num_cpus,
        max_concurrency=1000,
        scheduling_strategy=(
            NodeAffinitySchedulingStrategy(node_id, soft=True) if node_id else "SPREAD"
        ),
        enable_task_events=False,
    )
    handle: ActorHandle = options.remote(shard, spec, warm=warm)
    return handle


def create_shards(shards: Sequence[ShardId], spec: ShardSpec) -> None:
    """Create the actors of all shards at once; they open in their own time.

    Only one process of a site may do this; or the keeper, which checks both names.
    """
    for shard in shards:
        create_actor(shard, spec)
