"""The hand-off of one shard, step by step, and the repair of an interrupted one.

A warm successor starts under the shard's other name, the owner stores snapshots and is
released, the successor opens, the owner is ended. The leader may die after any step:
the two processes end by themselves in time (actors/hosting/process.py), the journal's
epoch decides meanwhile, and ``heal`` completes the hand-off sooner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from time import perf_counter
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.ports import ShardStatus
from cluster.keeping.planner import Move

_LOG = logging.getLogger(__name__)
_SERVING = ("open", "opening")
_USABLE = ("warm", *_SERVING)
"""State of a successor that Ray restarted meanwhile: it opens at once."""


class Question(StrEnum):
    """Requests to a shard's process during a hand-off: see ``ShardHost``."""

    READY = "ready"
    REPORT = "report"
    FLUSH = "flush"
    RELEASE = "release"
    START = "start"


class Actors(Protocol):
    """The processes of shards, by name: one of a shard's two names."""

    def names(self, shard: ShardId) -> tuple[str, str]:
        """The two names that a shard's processes may have."""
        ...

    async def alive(self, shard: ShardId) -> Sequence[str]:
        """The names of the shard that have a process, including starting ones."""
        ...

    async def create(self, shard: ShardId, name: str, node: str, *, warm: bool) -> None:
        """Start a process on a node; on another one if that node is lost."""
        ...

    async def ask(
        self, name: str, question: Question, timeout_s: float
    ) -> ShardStatus | None:
        """Its status after that; None if it has none yet. Raises Unavailable."""
        ...

    async def end(self, name: str, *, restart: bool = False) -> None:
        """Kill the process: for good, or for Ray to start it again."""
        ...


class Step(StrEnum):
    """The last completed step."""

    CREATED = "created"
    FLUSHED = "flushed"
    RELEASED = "released"
    STARTED = "started"
    ENDED = "ended"


class HandOff(Struct, frozen=True):
    """Result of a hand-off.

    ``pause_ms``: from the release to the successor's answer.
    """

    shard: ShardId
    source: str
    target: str
    pause_ms: float = 0.0
    total_ms: float = 0.0
    epoch: int = 0
    fault: str = ""
    """Why the shard stayed where it was; empty if it did not."""


class MoveLimits(Struct, frozen=True):
    """Timeouts of the steps, in seconds."""

    warm_s: float = 45.0
    """A process starts and imports in about a second; many at once queue."""
    flush_s: float = 15.0
    release_s: float = 7.0
    start_s: float = 35.0
    report_s: float = 2.0


class Mover:
    """Hands shards over. ``stepped`` is called after each step."""

    def __init__(
        self,
        actors: Actors,
        limits: MoveLimits | None = None,
        stepped: Callable[[ShardId, Step], None] = lambda _shard, _step: None,
    ) -> None:
        self._actors = actors
        self._limits = limits or MoveLimits()
        self._stepped = stepped

    async def hand_over(self, move: Move) -> HandOff:
        """Move a shard; it answers afterwards, wherever it is.

        The same node as source and target gives the shard a fresh process there.
        """
        began = perf_counter()
        shard = move.shard
        owner = await self._only_owner(shard)
        if owner is None:
            return _failed(move, "no process serves it now")
        successor = next(name for name in self._actors.names(shard) if name != owner)
        fault = await self._prepare(move, successor)
        if fault:
            await self._actors.end(successor)
            return _failed(move, fault)
        await self._flush(shard, owner)
        released = perf_counter()
        await self._release(shard, owner)
        status = await self._start(shard, successor)
        if status is None or status.state != "open":
            await self._actors.end(successor)
            await self._actors.end(owner, restart=True)
            return _failed(move, "its successor did not open")
        paused = perf_counter()
        await self._actors.end(owner)
        self._stepped(shard, Step.ENDED)
        return HandOff(
            shard,
            move.source,
            move.target,
            pause_ms=(paused - released) * 1000,
            total_ms=(perf_counter() - began) * 1000,
            epoch=status.epoch,
        )

    async def heal(self, shard: ShardId) -> str:
        """Complete an interrupted hand-off.

        Returns the name of the serving process, or "".

        The serving process stays; without one a warm successor starts. The other one
        ends.
        """
        alive = await self._actors.alive(shard)
        reports = {name: await self._report(name) for name in alive}
        owner = _owner(reports)
        if not owner:
            owner = next(
                (name for name in alive if _state(reports[name]) == "warm"), ""
            )
            if owner:
                await self._start(shard, owner)
        if owner:
            for name in alive:
                if name != owner:
                    _LOG.warning(
                        "shard %s: ending %s, for %s serves", shard, name, owner
                    )
                    await self._actors.end(name)
        return owner

    async def _only_owner(self, shard: ShardId) -> str | None:
        alive = await self._actors.alive(shard)
        if len(alive) > 1:
            return await self.heal(shard) or None
        return alive[0] if alive else None

    async def _prepare(self, move: Move, successor: str) -> str:
        """Start a warm successor; returns what went wrong, or ""."""
        shard = move.shard
        await self._actors.create(shard, successor, move.target, warm=True)
        self._stepped(shard, Step.CREATED)
        try:
            status = await self._actors.ask(
                successor, Question.READY, self._limits.warm_s
            )
        except Unavailable as error:
            return f"no process could be started for it on {move.target}: {error}"
        if status is None or status.state not in _USABLE:
            return "its successor ended"
        if status.node not in ("", move.target):
            return f"{move.target} took no new process; {status.node} did"
        return ""

    async def _flush(self, shard: ShardId, owner: str) -> None:
        try:
            await self._actors.ask(owner, Question.FLUSH, self._limits.flush_s)
        except Unavailable as error:  # the successor replays what is not stored
            _LOG.warning("shard %s did not flush: %s", shard, error)
        self._stepped(shard, Step.FLUSHED)

    async def _release(self, shard: ShardId, owner: str) -> None:
        try:
            await self._actors.ask(owner, Question.RELEASE, self._limits.release_s)
        except Unavailable as error:  # it will be fenced
            _LOG.warning("shard %s was not released: %s", shard, error)
        self._stepped(shard, Step.RELEASED)

    async def _start(self, shard: ShardId, name: str) -> ShardStatus | None:
        try:
            status = await self._actors.ask(name, Question.START, self._limits.start_s)
        except Unavailable as error:
            _LOG.warning("shard %s did not start: %s", shard, error)
            return None
        self._stepped(shard, Step.STARTED)
        return status

    async def _report(self, name: str) -> ShardStatus | None:
        try:
            return await self._actors.ask(name, Question.REPORT, self._limits.report_s)
        except Unavailable:
            return None


def _failed(move: Move, fault: str) -> HandOff:
    return HandOff(move.shard, move.source, move.target, fault=fault)


def _state(report: ShardStatus | None) -> str:
    return report.state if report is not None else ""


def _owner(reports: Mapping[str, ShardStatus | None]) -> str:
    """The serving process; if two claim to serve, the one with the newer epoch."""
    serving = {
        name: report.epoch
        for name, report in reports.items()
        if report is not None and report.state in _SERVING
    }
    return max(serving, key=lambda name: serving[name], default="")
