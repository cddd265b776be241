"""What the cluster looks like at one moment: its nodes, and where shards are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ShardId
from cluster.keeping.moves import Actors
from cluster.keeping.planner import Node


class ClusterNode(Struct, frozen=True):
    """A live node. ``draining``.

    By an operator's mark, or because Ray itself drains it.
    """

    name: str
    node_id: str
    weight: float
    draining: bool
    address: str = ""

    def planned(self) -> Node:
        """As the planner sees it."""
        return Node(self.name, self.draining, self.weight)


class Survey(Struct, frozen=True):
    """Nodes, and where the shards' processes are; at one moment, more or less."""

    nodes: Mapping[str, ClusterNode]
    seats: Mapping[ShardId, Mapping[str, str]]
    """Shard to its processes' names, each with its node's name; empty: starting."""

    def places(self) -> dict[ShardId, str]:
        """Where each shard that has one process is, for the planner."""
        return {
            shard: next(iter(names.values()))
            for shard, names in self.seats.items()
            if len(names) == 1
        }

    def known(self, preferred: str = "") -> dict[ShardId, str]:
        """A node for each shard that has a process, so that no other is created.

        Of two nodes the ``preferred`` one, or else the first.
        """
        return {
            shard: preferred if preferred in names.values() else first
            for shard, names in self.seats.items()
            for first in [next(iter(names.values()))]
        }

    def doubles(self) -> list[ShardId]:
        """Shards with two processes: a hand-off is running, or was interrupted."""
        return sorted(shard for shard, names in self.seats.items() if len(names) > 1)


class Fleet(Actors, Protocol):
    """The processes of shards, and the nodes they are on."""

    async def survey(self) -> Survey:
        """Nodes that live and processes of shards. Raises Unavailable."""
        ...

    async def mark(self, node: ClusterNode, *, draining: bool) -> None:
        """Set or remove a node's drain mark. Raises Unavailable."""
        ...
