"""What an operator asks of the shards: leave a node, rebalance, restart.

Each goes on shard by shard and tells each hand-off as it is done. Each may be broken
off at any moment: what is under way heals by itself, and doing it again does the rest.
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
"""How often a shard is tried to be moved before it is left and named."""


class Patience(Struct, frozen=True):
    """How long an operator waits, in seconds."""

    turn_s: float = 60.0
    """For the keeper, or another command, to finish what it is doing."""
    again_s: float = 1.0
    """Before a shard that could not be moved is tried again."""
    all_s: float = 900.0
    """For everything. What is not done by then is named."""


class Operations:
    """An operator's hand on the shards of a cluster."""

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
        """Leave a node: nothing is placed there any more, and what is there moves.

        Ends when the node is empty. The mark stays until ``undrain``, or until the
        node leaves the cluster.

        Raises:
            Obstacle: no such node, or no other takes shards, or it is not empty.
        """
        node = _node(await self._fleet.survey(), name)
        await self._fleet.mark(node, draining=True)
        async for went in self._carry_out(lambda survey: _leaving(survey, name)):
            yield went

    async def undrain(self, name: str) -> None:
        """A node may have shards again; the keeper brings it some. Raises Obstacle."""
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

        A new process loads what is installed on its node by then. All shards, if
        none is named. Raises Obstacle.
        """
        # Those in the midst of a hand-off that was broken off, too.
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
        if left:  # its process was just starting, or ended, whenever we looked
            raise _unfinished(left)

    async def _carry_out(
        self, planned: Callable[[Survey], PlacementPlan]
    ) -> AsyncGenerator[HandOff]:
        """Do what is planned, planned again after each hand-off, until nothing is."""
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
        """The cluster, after what was broken off before has been ended."""
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
    """What still has a process on this node, to where the planner wants it."""
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
