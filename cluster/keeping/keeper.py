"""The keeper: creates shards, spreads them, and repairs what went wrong.

It periodically surveys the cluster and carries out the planner's plan in small steps.
Bookings never wait for it: without a keeper shards keep running where they are, and Ray
restarts those whose process or node is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from cluster.keeping.moves import HandOff, Mover, Question
from cluster.keeping.planner import PlacementPlan, plan
from cluster.keeping.survey import Fleet, Survey
from cluster.keeping.turns import Turn

log = logging.getLogger(__name__)


class KeeperLimits(Struct, frozen=True):
    """The keeper's intervals in seconds, and its amount of work per round."""

    look_s: float = 2.0
    """Interval between two surveys of the cluster."""
    quiet_s: float = 10.0
    """Shards are rebalanced only after membership has been stable for this long."""
    moves_max: int = 4
    """Hand-offs in one round; then the cluster is surveyed again."""
    visit_s: float = 10.0
    """Interval of the health check of every shard."""
    report_s: float = 3.0
    silent_s: float = 30.0
    """A process that is alive according to Ray but has not answered for this long is
    hung, and is killed. Ray starts it again."""
    opening_s: float = 180.0
    """The same for a process that has never answered. It is longer, since many start at
    once, and restarting slow ones on a busy machine would never end."""
    visits_max: int = 16
    """Concurrent health checks."""


class Round(Struct, frozen=True):
    """What the keeper did in one round."""

    created: Sequence[ShardId] = ()
    healed: Sequence[ShardId] = ()
    moved: Sequence[HandOff] = ()
    restarted: Sequence[ShardId] = ()


class Keeper:
    """Keeps the ``shards`` of a site on the nodes of its cluster."""

    def __init__(
        self,
        fleet: Fleet,
        shards: Callable[[], Awaitable[Sequence[ShardId]]],
        turn: Turn,
        limits: KeeperLimits | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._fleet = fleet
        self._mover = Mover(fleet)
        self._shards = shards
        self._turn = turn
        self._limits = limits or KeeperLimits()
        self._now = now
        self._nodes: frozenset[tuple[str, bool]] = frozenset()
        self._changed_at = now()
        self._visited_at = now()
        self._silent_since: dict[str, float] = {}
        self._known: set[str] = set()
        """Processes that have answered at least once."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Run rounds until told to stop. A failed round is repeated."""
        while not stopping.is_set():
            try:
                await self.round()
            except Unavailable as error:
                log.info("the keeper waits: %s", error)
            except Exception:
                log.exception("a round of the keeper failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.look_s):
                    await stopping.wait()

    async def round(self) -> Round:
        """One round: survey, then carry out a bounded part of the plan.

        Raises:
            Unavailable: Ray's head does not answer, or another process moves shards.
        """
        async with self._turn.mine(self._limits.look_s):
            survey = await self._fleet.survey()
            wanted = await self._shards()
            self._note_nodes(survey)
            healed = [
                shard for shard in survey.doubles() if await self._mover.heal(shard)
            ]
            made = plan(
                (node.planned() for node in survey.nodes.values()),
                wanted,
                survey.known(),
                balance=self._is_quiet(),
            )
            await self._create(made)
            moved = await self._move(made, survey)
            # Moved shards have new processes; the old names would not answer.
            now = await self._fleet.survey() if moved else survey
            restarted = await self._visit(now)
        return Round([shard for shard, _ in made.creations], healed, moved, restarted)

    def _note_nodes(self, survey: Survey) -> None:
        nodes = frozenset(
            (node.node_id, node.draining) for node in survey.nodes.values()
        )
        if nodes != self._nodes:
            log.info("nodes: %s", ", ".join(sorted(survey.nodes)))
            self._nodes, self._changed_at = nodes, self._now()

    def _is_quiet(self) -> bool:
        return self._now() - self._changed_at >= self._limits.quiet_s

    async def _create(self, made: PlacementPlan) -> None:
        for shard, node in made.creations:
            log.info("shard %s begins on %s", shard, node)
            await self._fleet.create(
                shard, self._fleet.names(shard)[0], node, warm=False
            )

    async def _move(self, made: PlacementPlan, survey: Survey) -> list[HandOff]:
        """Hand over a bounded number; shards whose process is starting come later."""
        places = survey.places()
        ready = [move for move in made.moves if places.get(move.shard) == move.source]
        moved = []
        for move in ready[: self._limits.moves_max]:
            went = await self._mover.hand_over(move)
            _tell(went)
            moved.append(went)
        return moved

    async def _visit(self, survey: Survey) -> list[ShardId]:
        """Check every shard's health.

        Kill processes that have been silent for too long.
        """
        now = self._now()
        if now - self._visited_at < self._limits.visit_s:
            return []
        self._visited_at = now
        names = [
            (shard, name)
            for shard, processes in survey.seats.items()
            for name, node in processes.items()
            if node  # alive according to Ray; other states are still starting
        ]
        gate = asyncio.Semaphore(self._limits.visits_max)
        heard = await asyncio.gather(*(self._hears(name, gate) for _, name in names))
        # Counted from the first unanswered check, not from the last answer: checks may
        # be far apart.
        self._silent_since = {
            name: self._silent_since.get(name, now)
            for (_, name), is_heard in zip(names, heard, strict=True)
            if not is_heard
        }
        answered = {
            name for (_, name), is_heard in zip(names, heard, strict=True) if is_heard
        }
        self._known = answered | (self._known & self._silent_since.keys())
        silent = [
            (shard, name)
            for shard, name in names
            if now - self._silent_since.get(name, now) >= self._bears(name)
        ]
        for shard, name in silent:
            log.error("shard %s has not answered; its process is started again", shard)
            del self._silent_since[name]
            self._known.discard(name)
            await self._fleet.end(name, restart=True)
        return [shard for shard, _ in silent]

    def _bears(self, name: str) -> float:
        limits = self._limits
        return limits.silent_s if name in self._known else limits.opening_s

    async def _hears(self, name: str, gate: asyncio.Semaphore) -> bool:
        async with gate:
            try:
                await self._fleet.ask(name, Question.REPORT, self._limits.report_s)
            except Unavailable:
                return False
            return True


def _tell(went: HandOff) -> None:
    if went.fault:
        log.warning("shard %s stays on %s: %s", went.shard, went.source, went.fault)
    else:
        log.info(
            "shard %s moved from %s to %s, pause %.0f ms",
            *(went.shard, went.source, went.target, went.pause_ms),
        )
