"""A hand-off, and one that is broken off at any step: one owner, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from actors.domain.messages.answers import BookingView
from actors.hosting.process import ELSEWHERE, HostTimeouts
from actors.placement import shard_name
from actors.ports import ShardReply, ShardStatus
from cluster.keeping.moves import MoveLimits, Mover, Question, Step
from cluster.keeping.planner import Move
from tests.fakes.shard_actors import HASTY, PATIENT, FakeActors
from tests.unit.actors import practice as p

SHARD = shard_name(1)
OLD, NEW = "shard-s0001", "shard-s0001+"
MOVE = Move(SHARD, "a", "b")
REPLIES = msgspec.msgpack.Decoder(list[ShardReply])
STATUS = msgspec.msgpack.Decoder(ShardStatus)


class Killed(Exception):
    """The leader of the hand-off is gone."""


@asynccontextmanager
async def serving(patience: HostTimeouts) -> AsyncIterator[FakeActors]:
    """A shard with one process, which serves."""
    one = FakeActors(patience)
    await one.create(SHARD, OLD, "a", warm=False)
    await one.ask(OLD, Question.START, 60)
    yield one
    await one.close()


@pytest.fixture
async def actors() -> AsyncIterator[FakeActors]:
    async with serving(HASTY) as one:
        yield one


@pytest.fixture
async def patient_actors() -> AsyncIterator[FakeActors]:
    async with serving(PATIENT) as one:
        yield one


async def until(claim: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await claim():  # noqa: ASYNC110 - watchdogs ring no bell
            await asyncio.sleep(0.01)


async def answer(actors: FakeActors, *requests: object) -> list[ShardReply]:
    """Ask under both names in turn, as gateways do."""
    blob = msgspec.msgpack.encode(requests)
    async with asyncio.timeout(60):
        while True:
            for name in await actors.alive(SHARD):
                if name not in actors.deaf and name in actors.processes:
                    reply = await actors.processes[name].execute(blob)
                    if reply != ELSEWHERE:
                        return REPLIES.decode(reply)
            await asyncio.sleep(0.01)


async def test_shard_moves_with_what_it_knows(actors: FakeActors) -> None:
    """The successor serves on the other node under the next epoch; the owner ended."""
    (*_, booked) = await answer(actors, *p.opened(), p.book("a"))
    steps: list[Step] = []
    went = await Mover(actors, stepped=lambda _, step: steps.append(step)).hand_over(
        MOVE
    )
    assert (went.fault, went.epoch) == ("", 2)
    assert 0 < went.pause_ms <= went.total_ms
    assert steps == list(Step)
    assert await actors.serving(SHARD) == [NEW]
    assert actors.processes[NEW].node == "b"
    assert await answer(actors, p.book("a")) == [booked]
    assert isinstance(booked, BookingView)


async def test_names_alternate(actors: FakeActors) -> None:
    """A shard moves there and back as often as one likes."""
    for source, target in ("ab", "ba", "ab"):
        went = await Mover(actors).hand_over(Move(SHARD, source, target))
        assert not went.fault
    assert await actors.serving(SHARD) == [NEW]
    status = STATUS.decode(await actors.processes[NEW].status())
    assert (status.epoch, status.node, status.state) == (4, "b", "open")


@pytest.mark.parametrize("last", list(Step))
async def test_broken_off_anywhere_it_heals_by_itself(
    actors: FakeActors, last: Step
) -> None:
    """The mover dies after a step: in the watchdogs' time one owner is left."""
    (*_, booked) = await answer(actors, *p.opened(), p.book("a"))
    with pytest.raises(Killed):
        await Mover(actors, stepped=_killer(last)).hand_over(MOVE)

    async def one_process_serves() -> bool:
        alive = await actors.alive(SHARD)
        return len(alive) == 1 and await actors.serving(SHARD) == list(alive)

    assert await answer(actors, p.book("a")) == [booked]
    await until(one_process_serves)
    assert await answer(actors, p.book("a")) == [booked]


@pytest.mark.parametrize("last", list(Step))
async def test_healed_at_once_by_whoever_comes_next(
    patient_actors: FakeActors, last: Step
) -> None:
    """The next keeper need not wait for watchdogs; it keeps who serves."""
    actors = patient_actors
    (*_, booked) = await answer(actors, *p.opened(), p.book("a"))
    with pytest.raises(Killed):
        await Mover(actors, stepped=_killer(last)).hand_over(MOVE)
    owner = await Mover(actors).heal(SHARD)
    assert owner == (OLD if last in (Step.CREATED, Step.FLUSHED) else NEW)
    assert await actors.alive(SHARD) == [owner]
    assert await answer(actors, p.book("a")) == [booked]


def _killer(last: Step) -> Callable[[object, Step], None]:
    def stepped(_shard: object, step: Step) -> None:
        if step is last:
            raise Killed

    return stepped


async def test_deaf_owner_is_fenced(actors: FakeActors) -> None:
    """An owner that does not answer prevents no take-over; it is ended."""
    (*_, booked) = await answer(actors, *p.opened(), p.book("a"))
    actors.deaf.add(OLD)
    went = await Mover(actors).hand_over(MOVE)
    assert not went.fault
    assert await actors.alive(SHARD) == [NEW]
    assert await answer(actors, p.book("a")) == [booked]


async def test_successor_that_does_not_come_changes_nothing(
    actors: FakeActors,
) -> None:
    """The owner goes on if its successor cannot be made."""
    actors.deaf.add(NEW)
    went = await Mover(actors, MoveLimits(warm_s=0.1)).hand_over(MOVE)
    assert went.fault
    assert await actors.serving(SHARD) == [OLD]
    assert STATUS.decode(await actors.processes[OLD].status()).epoch == 1


async def test_zombie_leaves_for_good_though_nobody_asks(actors: FakeActors) -> None:
    """An idle owner that was replaced notices by itself, and no restart steals."""
    await answer(actors, *p.opened())
    await actors.create(SHARD, NEW, "b", warm=False)

    async def only_the_successor() -> bool:
        return await actors.alive(SHARD) == [NEW]

    await until(only_the_successor)
    assert actors.left_for_good == [OLD]
    assert actors.crashes == []


async def test_calls_in_the_pause_wait_for_the_successor(actors: FakeActors) -> None:
    """Who asks between release and start is answered by the successor, not refused."""
    await answer(actors, *p.opened())
    await actors.create(SHARD, NEW, "b", warm=True)
    await actors.ask(NEW, Question.READY, 5)
    await actors.ask(OLD, Question.RELEASE, 5)
    asked = asyncio.ensure_future(answer(actors, p.book("a")))
    await asyncio.sleep(0)
    await actors.ask(NEW, Question.START, 5)
    (booked,) = await asked
    assert isinstance(booked, BookingView)
