"""An operator's operations on shards: drain a node, rebalance, restart.

Each works shard by shard and reports each hand-off. Each may be interrupted at any
moment: the current hand-off is repaired by itself, and a second run does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from time import monotonic

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from cluster.keeping.moves import HandOff, Mover
from cluster.keeping.planner import Move, PlacementPlan, plan
from cluster.keeping.survey import ClusterNode, Fleet, Survey
from cluster.keeping.turns import Turn
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle

ATTEMPTS = 3
"""Attempts to move a shard before it is reported as not moved."""


class Patience(Struct, frozen=True):
    """Timeouts of an operation, in seconds."""

    turn_s: float = 60.0
    """Wait for the keeper, or another command, to finish."""
    again_s: float = 1.0
    """Pause before the next attempt to move a shard."""
    all_s: float = 900.0
    """The whole operation. Shards not moved by then are reported."""


class Operations:
    """The operations on the shards of a cluster."""

    def __init__(
        self,
        fleet: Fleet,
        turn: Turn,
        patience: Patience | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._fleet = fleet
        self._mover = Mover(fleet)
        self._turn = turn
        self._patience = patience or Patience()
        self._now = now

    async def drain(self, name: str) -> AsyncGenerator[HandOff]:
        """Drain a node: nothing new is placed there, and its shards move away.

        Ends when the node is empty. The mark stays until ``undrain``, or until the
        node leaves the cluster.

        Raises:
            Obstacle: no such node, no other node takes shards, or some could not be
            moved.
        """
        node = _node(await self._fleet.survey(), name)
        await self._fleet.mark(node, draining=True)
        async for went in self._carry_out(lambda survey: _leaving(survey, name)):
            yield went

    async def undrain(self, name: str) -> None:
        """Allow shards on a node again; the keeper moves some there.

        Raises Obstacle.
        """
        node = _node(await self._fleet.survey(), name)
        await self._fleet.mark(node, draining=False)

    async def plan_rebalance(self) -> PlacementPlan:
        """What ``rebalance`` would do now."""
        return _balancing(await self._fleet.survey())

    async def rebalance(self) -> AsyncGenerator[HandOff]:
        """Spread the shards evenly over the nodes, now. Raises Obstacle."""
        async for went in self._carry_out(_balancing):
            yield went

    async def restart_shards(
        self, shards: Sequence[ShardId] = ()
    ) -> AsyncGenerator[HandOff]:
        """Hand each shard to a fresh process on its node: an upgrade, shard by shard.

        A new process loads the version installed on its node. All shards, if none is
        named. Raises Obstacle.
        """
        # Including those in an interrupted hand-off.
        there = (await self._fleet.survey()).seats
        strangers = set(shards) - set(there)
        if strangers:
            raise Obstacle(f"There is no shard {min(strangers)} in this cluster.")
        left = {shard for shard in there if not shards or shard in shards}

        def fresh(survey: Survey) -> PlacementPlan:
            return PlacementPlan(
                moves=[
                    Move(shard, node, node)
                    for shard, node in sorted(survey.known().items())
                    if shard in left and node
                ]
            )

        async for went in self._carry_out(fresh):
            if not went.fault:
                left.discard(went.shard)
            yield went
        if left:  # its process was starting or had ended at every survey
            raise _unfinished(left)

    async def _carry_out(
        self, planned: Callable[[Survey], PlacementPlan]
    ) -> AsyncGenerator[HandOff]:
        """Carry out the plan, made afresh after each hand-off, until it is empty."""
        until = self._now() + self._patience.all_s
        failures: dict[ShardId, int] = {}
        try:
            async with self._turn.mine(self._patience.turn_s):
                while True:
                    survey = await self._healed()
                    moves = planned(survey).moves
                    todo = [
                        one for one in moves if failures.get(one.shard, 0) < ATTEMPTS
                    ]
                    if not todo or self._now() >= until:
                        break
                    went = await self._mover.hand_over(todo[0])
                    if went.fault:
                        failures[went.shard] = failures.get(went.shard, 0) + 1
                        await asyncio.sleep(self._patience.again_s)
                    yield went
        except Unavailable as error:
            raise Obstacle(
                f"It was not finished: {error}.",
                "Nothing is lost. Look at `slotcast cluster status`, and run the "
                "command again.",
                code=FOUND_A_PROBLEM,
            ) from error
        if moves:
            raise _unfinished(move.shard for move in moves)

    async def _healed(self) -> Survey:
        """Survey the cluster, after completing interrupted hand-offs."""
        survey = await self._fleet.survey()
        broken = survey.doubles()
        for shard in broken:
            await self._mover.heal(shard)
        return await self._fleet.survey() if broken else survey


def _unfinished(shards: Iterable[ShardId]) -> Obstacle:
    names = ", ".join(sorted(shards))
    return Obstacle(
        f"These shards are not where they should be: {names}.",
        "They serve where they are. Look at `slotcast cluster status`, and run the "
        "command again.",
        code=FOUND_A_PROBLEM,
    )


def _node(survey: Survey, name: str) -> ClusterNode:
    node = survey.nodes.get(name)
    if node is None:
        raise Obstacle(
            f"There is no node {name} in this cluster.",
            f"Its nodes are: {', '.join(sorted(survey.nodes))}.",
        )
    return node


def _leaving(survey: Survey, name: str) -> PlacementPlan:
    """Moves of the shards that still have a process on this node."""
    made = _made(survey, balance=False, preferred=name)
    moves = [move for move in made.moves if move.source == name]
    if not moves and name in survey.known(name).values():
        raise Obstacle(
            f"No other node takes the shards of {name}.",
            "Let another node join (slotcast cluster join), or undrain one.",
        )
    return PlacementPlan(moves=moves)


def _balancing(survey: Survey) -> PlacementPlan:
    return PlacementPlan(moves=_made(survey, balance=True).moves)


def _made(survey: Survey, *, balance: bool, preferred: str = "") -> PlacementPlan:
    nodes = (node.planned() for node in survey.nodes.values())
    places = survey.known(preferred)
    return plan(nodes, survey.seats, places, balance=balance)
