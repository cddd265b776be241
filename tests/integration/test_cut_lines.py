"""Lines between a gateway and a shard that are cut in the middle of a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from random import Random
from time import monotonic
from types import SimpleNamespace

import pytest

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import BookingView, HoldView
from actors.domain.messages.commands import Command
from actors.domain.messages.events import HoldPlaced, SlotBooked
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Policy
from actors.hosting.mailbox import Mailbox
from actors.hosting.process import ShardHost, ShardSpec
from actors.placement import Placement, placing
from actors.remote import lines as doors
from actors.remote.line import HEADER
from actors.remote.lines import EXECUTE, ShardEndpoint
from actors.remote.links import RayLinks, Seat
from gateway.calendars.courier import Courier
from gateway.calendars.request_queue import BatchingLimits
from persistence.journal.memory import MemoryJournal
from persistence.snapshots.memory import MemorySnapshots
from tests.unit.actors import practice as p

SHARD = ShardId("s0000")
CUTS = 50
DAYS, PER_DAY = 12, 16
LANES = 12
AT_ONCE = BatchingLimits(batch_max=2)
"""Small batches: many calls, and so many cuts."""


class RunningClock:
    """The practice's time, which goes on."""

    def __init__(self) -> None:
        self._began = monotonic()

    def now(self) -> Millis:
        return Millis(p.NOW + int((monotonic() - self._began) * 1000))

    def steady(self) -> Millis:
        return self.now()


class Process(ShardHost):
    """A shard's process in this one; counts what it is asked, repeats included."""

    def __init__(self, clock: RunningClock) -> None:
        self.journal = MemoryJournal()
        self.clock = clock
        self.calls = 0
        super().__init__(SHARD, ShardSpec("", b""))

    async def _make(self) -> Mailbox:
        snapshots, policy = MemorySnapshots(), Policy()
        return Mailbox(self._shard, self.journal, snapshots, self.clock, policy)

    async def execute(self, blob: bytes) -> bytes:
        self.calls += 1
        return await super().execute(blob)


class Shears:
    """Stands before a door. Cuts lines: every other answer is lost, and with it the
    line; every fifth question is lost halfway."""

    def __init__(self) -> None:
        self.door = 0
        self.answers_lost = 0
        self.questions_lost = 0
        self._questions = self._answers = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.door)
        ends = {writer, up_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, up_writer, self._loses_question))
                both.create_task(self._carry(up_reader, writer, self._loses_answer))
        except* ConnectionError:
            pass
        finally:
            for one in ends:
                one.transport.abort()
            self._writers -= ends
            self._tasks.discard(task)

    async def _carry(self, source, target, loses) -> None:  # type: ignore[no-untyped-def]
        while True:
            try:
                head = await source.readexactly(HEADER.size)
                length, kind, _ = HEADER.unpack(head)
                payload = await source.readexactly(length)
            except asyncio.IncompleteReadError:
                raise ConnectionError from None
            if kind == EXECUTE and (cut := loses()):
                target.write((head + payload)[: cut - 1])
                await target.drain()
                raise ConnectionError
            target.write(head + payload)

    def _loses_question(self) -> int:
        self._questions += 1
        if self._questions % 5 or self.questions_lost >= CUTS:
            return 0
        self.questions_lost += 1
        return HEADER.size + 9

    def _loses_answer(self) -> int:
        self._answers += 1
        if self._answers % 2 or self.answers_lost >= CUTS:
            return 0
        self.answers_lost += 1
        return 1


class LinesOnly(RayLinks):
    """Links to one process, over a line or not at all."""

    def __init__(self, process: Process, shears: Shears) -> None:
        super().__init__(placing(Placement.SHARD, 1), [SHARD])
        self.process = process
        self.door = ShardEndpoint(process)
        self.shears = shears
        self.address = ""

    async def where(self) -> str:
        if not self.address:
            place = await self.door.address("127.0.0.1")
            self.shears.door = int(place.rpartition(":")[2])
            self.address = await self.shears.open()
        return self.address

    async def _look_up(self, shard: ShardId) -> list[Seat]:
        handle = SimpleNamespace(door=SimpleNamespace(remote=self.where))
        return [Seat(f"shard-{shard}", handle)]


@pytest.fixture
async def links(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LinesOnly]:
    monkeypatch.setattr(doors, "WITHOUT_S", 0.0)
    made = LinesOnly(Process(RunningClock()), Shears())
    yield made
    await made.close()
    await made.shears.close()
    await made.door.close()
    await made.process.close()
    for task in made.process._tasks:
        task.cancel()
    await asyncio.gather(*made.process._tasks, return_exceptions=True)


def visits() -> list[Sequence[Command]]:
    """What people want: each slot by two of them, one of whom holds it first."""
    wanted: list[Sequence[Command]] = []
    for place in range(DAYS * PER_DAY):
        at = place // PER_DAY * 48 + place % PER_DAY
        mine, theirs = f"m{place}", f"t{place}"
        wanted.append(
            [p.hold(mine, at, patient=f"pat_{mine}"), p.confirm(mine)]
            if place % 3 == 0
            else [p.book(mine, at, patient=f"pat_{mine}")]
        )
        wanted.append([p.book(theirs, at, patient=f"pat_{theirs}")])
    Random(3).shuffle(wanted)
    return wanted


async def test_a_line_cut_between_question_and_answer_loses_nothing(
    links: LinesOnly,
) -> None:
    """Fifty answers lost under load, and fifty questions: the gateway asks again with
    the same keys within the deadline, no request ends with "unavailable", every slot is
    given once, and every booking is in the journal, once."""
    courier = Courier(links, links.process.clock, AT_ONCE)
    for command in p.opened():
        await courier.ask(command)
    booked: dict[str, int] = {}
    waiting = visits()

    async def lane() -> None:
        while waiting:
            for command in waiting.pop():
                reply = await courier.ask(command)
                if isinstance(reply, Refusal):
                    break
                assert isinstance(reply, HoldView | BookingView)
                if isinstance(reply, BookingView):
                    booked[reply.booking_id] = reply.start

    async with asyncio.timeout(60):
        await asyncio.gather(*(lane() for _ in range(LANES)))
    assert links.shears.answers_lost == CUTS
    assert links.shears.questions_lost >= CUTS // 2
    assert courier.tally.lost_calls >= CUTS + links.shears.questions_lost
    records = await links.process.journal.read(SHARD, 0, 100_000)
    events = [record.event for record in records]
    journaled = [event for event in events if isinstance(event, SlotBooked)]
    held = Counter(event.hold_id for event in events if isinstance(event, HoldPlaced))
    assert {event.booking_id: event.start for event in journaled} == booked
    assert max(Counter(event.start for event in journaled).values()) == 1
    assert max(held.values()) == 1
    assert len(journaled) == len(booked) == DAYS * PER_DAY
    await courier.close()
