"""With a guard of the hand-off removed the checks below fail: the checks can see."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from actors.domain.ids import ShardId
from actors.domain.messages.answers import BookingView
from actors.hosting.process import ELSEWHERE, HostTimeouts, ShardHost
from actors.hosting.store_calls import StoreCalls
from actors.placement import shard_name
from actors.ports import ShardReply
from cluster.keeping.moves import Mover, Question, Step
from cluster.keeping.planner import Move
from persistence.journal.memory import MemoryJournal
from tests.fakes.shard_actors import HASTY, FakeActors
from tests.fixtures.patients import PATIENCE_S
from tests.unit.actors import practice as p

SHARD = shard_name(1)
OLD, NEW = "shard-s0001", "shard-s0001+"
NEVER_S = 1.0
"""Longer than any watchdog of the fakes: what has not come by then is not on its way.
On a busy machine what would come may be late, and a control succeeds all the same."""
REPLIES = msgspec.msgpack.Decoder(list[ShardReply])


class Killed(Exception):
    """The leader of the hand-off is gone."""


async def opened(patience: HostTimeouts = HASTY) -> FakeActors:
    actors = FakeActors(patience)
    await actors.create(SHARD, OLD, "a", warm=False)
    await actors.ask(OLD, Question.START, 5)
    await ask(actors, OLD, *p.opened())
    return actors


async def ask(actors: FakeActors, name: str, *requests: object) -> list[ShardReply]:
    """What this very process says; nothing if it says to ask elsewhere, or is gone."""
    if name not in actors.processes:
        return []
    reply = await actors.processes[name].execute(msgspec.msgpack.encode(requests))
    return [] if reply == ELSEWHERE else REPLIES.decode(reply)


async def is_whole(actors: FakeActors) -> bool:
    """Whether the shard has one process, which serves."""
    alive = await actors.alive(SHARD)
    return len(alive) == 1 and await actors.serving(SHARD) == list(alive)


async def serves_again_after(
    step: Step, patience: HostTimeouts, within_s: float = PATIENCE_S
) -> bool:
    """Whether a shard serves, when its hand-off was broken off after this step."""
    actors = await opened(patience)

    def stepped(_shard: ShardId, done: Step) -> None:
        if done is step:
            raise Killed

    with pytest.raises(Killed):
        await Mover(actors, stepped=stepped).hand_over(Move(SHARD, "a", "b"))
    try:
        async with asyncio.timeout(within_s):
            while not await is_whole(actors):  # noqa: ASYNC110 - no bell is rung
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    finally:
        await actors.close()
    return True


async def gives_slot_once() -> bool:
    """Whether two owners at once still give a slot to one patient only."""
    actors = await opened()
    await actors.create(SHARD, NEW, "b", warm=False)
    await actors.ask(NEW, Question.START, 5)
    replies = await ask(actors, OLD, p.book("a", patient="pat_1"))
    replies += await ask(actors, NEW, p.book("b", patient="pat_2"))
    await actors.close()
    return sum(isinstance(reply, BookingView) for reply in replies) <= 1


async def idle_zombie_leaves(within_s: float = PATIENCE_S) -> bool:
    """Whether an owner that was replaced ends without being asked."""
    actors = await opened()
    await actors.create(SHARD, NEW, "b", warm=False)
    try:
        async with asyncio.timeout(within_s):
            while await actors.alive(SHARD) != [NEW]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    finally:
        await actors.close()
    return True


async def test_released_shard_without_a_watchdog_is_noticed() -> None:
    """Broken off after the release, a process serves; without watchdogs none does."""
    assert await serves_again_after(Step.RELEASED, HASTY)
    never = HostTimeouts(released_s=60, warm_s=60, call_s=0.02, again_s=0.05)
    assert not await serves_again_after(Step.RELEASED, never, NEVER_S)


async def test_restart_that_ignores_a_successor_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fenced process leaves for good; one that is restarted instead steals back."""
    assert await serves_again_after(Step.STARTED, HASTY)

    async def restarted(self: ShardHost) -> None:
        self._crash()

    monkeypatch.setattr(ShardHost, "_leave_for_good", restarted)
    assert not await serves_again_after(Step.STARTED, HASTY, NEVER_S)


async def test_missing_fence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's epoch keeps a second owner from writing; without it both do."""
    assert await gives_slot_once()
    append = MemoryJournal.append

    async def unfenced(
        self: MemoryJournal, shard: ShardId, _epoch: int, _seq: int, events: object
    ) -> int:
        log = self._logs[shard]
        return await append(self, shard, log.epoch, len(log.records), events)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryJournal, "append", unfenced)
    assert not await gives_slot_once()


async def test_shard_that_never_looks_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An idle zombie finds out because it asks the journal now and then."""
    assert await idle_zombie_leaves()
    monkeypatch.setattr(StoreCalls, "look_due_s", lambda _self: 60.0)
    assert not await idle_zombie_leaves(NEVER_S)
