"""Requests gather into batches; an unknown outcome is retried until its deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from msgspec import ValidationError

from actors.domain.ids import BookingId, Millis, ProviderId, ShardId
from actors.domain.messages.answers import Done, NextFreeView, PositionsView
from actors.domain.messages.changes import FeedBatch
from actors.domain.messages.commands import CheckIn
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.errors import JournalFull, Overloaded, Unavailable
from actors.placement import Placement, Places, placing
from actors.ports import Request, ShardReply, ShardStatus, Trouble, TroubleCode
from gateway.calendars.courier import Courier, by_shard
from gateway.calendars.request_queue import BatchingLimits, QueuedRequest, RequestQueue

PLACE = placing(Placement.SHARD, 2)
ONE = ProviderId("prv_1")


class SteppingClock:
    """Moves by a millisecond whenever it is asked, and by hand."""

    def __init__(self) -> None:
        self.time = 1_000

    def now(self) -> Millis:
        self.time += 1
        return Millis(self.time)


Answering = Callable[[ShardId, Sequence[Request]], Awaitable[Sequence[ShardReply]]]


class ScriptedLinks:
    """Answers as the test says, and remembers what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.calls: list[tuple[ShardId, list[Request]]] = []
        self.places = Places(PLACE)

    def shards(self) -> Sequence[ShardId]:
        return [ShardId("s0000"), ShardId("s0001")]

    def shard_of(self, provider: ProviderId) -> ShardId:
        return self.places(provider)

    def moved(self, provider: ProviderId, shard: ShardId) -> None:
        self.places.note(provider, shard)

    async def execute(
        self, shard: ShardId, requests: Sequence[Request], timeout_s: float
    ) -> Sequence[ShardReply]:
        self.calls.append((shard, list(requests)))
        return await self.answering(shard, requests)

    async def status(self, shard: ShardId) -> ShardStatus:
        raise Unavailable

    async def poll(
        self, shard: ShardId, epoch: int, number: int, wait_ms: int
    ) -> FeedBatch:
        raise Unavailable


def check_in(number: int, deadline: int = 0) -> CheckIn:
    return CheckIn(
        provider_id=ONE,
        key=f"k{number}",
        booking_id=BookingId(f"bkg_1.{number}"),
        deadline=Millis(deadline),
    )


def done(requests: Sequence[Request]) -> list[ShardReply]:
    return [
        Done(ONE, 1, int(request.key[1:]))
        for request in requests
        if isinstance(request, CheckIn)
    ]


async def accept(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
    return done(requests)


def courier(links: ScriptedLinks, clock: SteppingClock, **limits: int) -> Courier:
    return Courier(links, clock, BatchingLimits(backoff_ms=1, **limits), lambda: 0.0)


async def test_requests_of_one_turn_travel_in_one_call() -> None:
    """Everything asked in the same turn of the loop is one call, answered in order."""
    links = ScriptedLinks(accept)
    asking = courier(links, SteppingClock())
    answers = await asyncio.gather(*(asking.ask(check_in(n)) for n in range(100)))
    assert [answer.version for answer in answers if isinstance(answer, Done)] == list(
        range(100)
    )
    assert len(links.calls) == 1
    await asking.close()


async def test_one_call_in_flight_and_the_rest_travels_in_the_next() -> None:
    """While a call is in flight others wait, and leave together in the next one."""
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def gated(
        shard: ShardId, requests: Sequence[Request]
    ) -> Sequence[ShardReply]:
        entered.set()
        await gate.wait()
        return done(requests)

    links = ScriptedLinks(gated)
    asking = courier(links, SteppingClock(), batch_max=3)
    first = asyncio.ensure_future(asking.ask(check_in(0)))
    await entered.wait()
    rest = [asyncio.ensure_future(asking.ask(check_in(n))) for n in range(1, 6)]
    await asyncio.sleep(0)
    assert len(links.calls) == 1
    gate.set()
    await asyncio.gather(first, *rest)
    assert [len(requests) for _, requests in links.calls] == [1, 3, 2]
    await asking.close()


async def test_unknown_outcome_is_retried_with_the_same_command() -> None:
    """A lost call is sent again, unchanged, and its caller hears only the answer."""
    clock = SteppingClock()

    async def flaky(
        shard: ShardId, requests: Sequence[Request]
    ) -> Sequence[ShardReply]:
        clock.time += 10
        if len(links.calls) < 3:
            raise Unavailable
        return done(requests)

    links = ScriptedLinks(flaky)
    asking = courier(links, clock)
    assert await asking.ask(check_in(7)) == Done(ONE, 1, 7)
    assert [requests for _, requests in links.calls] == [[check_in(7)]] * 3
    assert asking.tally.lost_calls == 2
    await asking.close()


async def test_deadline_ends_the_retries() -> None:
    """A command whose deadline passed ends as Unavailable and is not sent again."""
    clock = SteppingClock()

    async def dead(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        clock.time += 100
        raise Unavailable

    links = ScriptedLinks(dead)
    asking = courier(links, clock)
    with pytest.raises(Unavailable):
        await asking.ask(check_in(1, deadline=1_250))
    assert len(links.calls) == 3
    await asking.close()


async def test_a_hanging_call_does_not_hold_its_callers_past_their_deadline() -> None:
    """Deadlines are kept while the call that carries the request never returns."""
    clock = SteppingClock()

    async def hang(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        clock.time += 60_000
        await asyncio.Event().wait()
        return []

    asking = courier(ScriptedLinks(hang), clock)
    with pytest.raises(Unavailable):
        await asking.ask(check_in(1, deadline=2_000))
    await asking.close()


async def test_full_queue_refuses_at_once() -> None:
    """Beyond the bound a request is Overloaded at once; those waiting are answered."""
    asking = courier(ScriptedLinks(accept), SteppingClock(), waiting_max=2)
    answers = await asyncio.gather(
        *(asking.ask(check_in(n)) for n in range(3)), return_exceptions=True
    )
    assert answers[:2] == [Done(ONE, 1, 0), Done(ONE, 1, 1)]
    assert isinstance(answers[2], Overloaded)
    await asking.close()


async def test_cancelled_caller_spoils_nobody_elses_answer() -> None:
    """A caller who leaves in flight, or waiting, shifts no reply to a neighbour."""
    gate = asyncio.Event()
    entered = asyncio.Event()

    async def gated(
        shard: ShardId, requests: Sequence[Request]
    ) -> Sequence[ShardReply]:
        entered.set()
        await gate.wait()
        return done(requests)

    links = ScriptedLinks(gated)
    asking = courier(links, SteppingClock())
    flying = [asyncio.ensure_future(asking.ask(check_in(n))) for n in range(3)]
    await entered.wait()
    waiting = [asyncio.ensure_future(asking.ask(check_in(n))) for n in range(3, 6)]
    await asyncio.sleep(0)
    flying[1].cancel()
    waiting[1].cancel()
    gate.set()
    answers = await asyncio.gather(*flying, *waiting, return_exceptions=True)
    versions = [one.version if isinstance(one, Done) else None for one in answers]
    assert versions == [0, None, 2, 3, None, 5]
    assert links.calls[1][1] == [check_in(3), check_in(5)]
    await asking.close()


@pytest.mark.parametrize("code", [TroubleCode.RECOVERING, TroubleCode.UNKNOWN])
async def test_recovering_shard_is_asked_again(code: TroubleCode) -> None:
    """Trouble that passes is retried until an answer comes."""
    clock = SteppingClock()

    async def soon(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        clock.time += 5
        return [Trouble(code)] if len(links.calls) < 3 else done(requests)

    links = ScriptedLinks(soon)
    asking = courier(links, clock)
    assert await asking.ask(check_in(1)) == Done(ONE, 1, 1)
    await asking.close()


async def test_lasting_trouble_is_told_at_once() -> None:
    """A full journal is an error for its caller, with the time to wait in it."""

    async def full(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        return [Trouble(TroubleCode.JOURNAL_FULL, retry_after_s=30.0)]

    asking = courier(ScriptedLinks(full), SteppingClock())
    with pytest.raises(JournalFull) as caught:
        await asking.ask(check_in(1))
    assert caught.value.retry_after_s == 30.0
    await asking.close()


async def test_deadline_passed_is_no_answer() -> None:
    """A calendar that saw the command too late did nothing: the caller may retry."""

    async def late(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        return [Refusal(RefusalCode.DEADLINE_PASSED)]

    asking = courier(ScriptedLinks(late), SteppingClock())
    with pytest.raises(Unavailable):
        await asking.ask(check_in(1))
    await asking.close()


async def test_questions_about_many_providers_are_divided_by_shard() -> None:
    """Each shard is asked about its own providers; soonest starts are merged."""

    async def view(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        (request,) = requests
        if isinstance(request, ReadNextFree):
            assert {PLACE(one) for one in request.provider_ids} == {shard}
            return [NextFreeView(dict.fromkeys(request.provider_ids))]
        assert isinstance(request, ReadPositions)
        return [PositionsView(3, dict.fromkeys(request.provider_ids, 1))]

    providers = tuple(ProviderId(f"prv_{n}") for n in range(20))
    links = ScriptedLinks(view)
    asking = courier(links, SteppingClock())
    merged = await asking.ask(ReadNextFree(providers))
    assert isinstance(merged, NextFreeView)
    assert set(merged.starts) == set(providers)
    parts = by_shard(links, ReadPositions(providers))
    views = [await asking.ask(part) for part in parts.values()]
    assert len(views) == 2
    await asking.close()


async def test_close_answers_everybody() -> None:
    """Closing leaves no caller waiting, and nothing is asked afterwards."""
    entered = asyncio.Event()

    async def hang(shard: ShardId, requests: Sequence[Request]) -> Sequence[ShardReply]:
        entered.set()
        await asyncio.Event().wait()
        return []

    asking = courier(ScriptedLinks(hang), SteppingClock())
    caller = asyncio.ensure_future(asking.ask(check_in(1)))
    await entered.wait()
    await asking.close()
    with pytest.raises(Unavailable):
        await caller
    with pytest.raises(Unavailable):
        await asking.ask(check_in(2))


async def test_weight_bounds_a_batch() -> None:
    """Heavy requests travel in several calls, a single one always travels."""
    queue = RequestQueue(BatchingLimits(batch_bytes=500), lambda: 0.0)
    loop = asyncio.get_running_loop()
    for number in range(5):
        queue.offer(QueuedRequest(check_in(number), 9_999, loop.create_future()))
    sizes = []
    while batch := queue.next_batch(0):
        sizes.append(len(batch))
        queue.replied(done([ticket.request for ticket in batch]), 0)
    assert sizes == [2, 2, 1]


async def test_pause_doubles_and_ends_with_success() -> None:
    """After each loss the pause doubles up to its bound; an answer ends it."""
    queue = RequestQueue(BatchingLimits(backoff_ms=20, backoff_max_ms=100), lambda: 1.0)
    loop = asyncio.get_running_loop()
    queue.offer(QueuedRequest(check_in(1), 99_999, loop.create_future()))
    pauses = []
    for _ in range(4):
        assert queue.next_batch(50_000)
        queue.lost(0)
        pauses.append(queue.pause_ms(0))
    assert pauses == [20, 40, 80, 100]
    assert queue.next_batch(99) == ()
    assert queue.next_batch(100)
    queue.replied([Done(ONE, 1, 1)], 100)
    assert queue.pause_ms(0) == 0


async def test_a_clock_set_back_does_not_lengthen_the_pause() -> None:
    """The simulator found it: a gateway called no shard until the hour came again."""
    queue = RequestQueue(BatchingLimits(backoff_ms=20, backoff_max_ms=100), lambda: 1.0)
    loop = asyncio.get_running_loop()
    queue.offer(QueuedRequest(check_in(1), 99_999_999, loop.create_future()))
    assert queue.next_batch(3_600_000)
    queue.lost(3_600_000)
    assert queue.next_batch(3_600_019) == ()
    assert queue.next_batch(7)


async def test_an_idle_queue_is_not_kept() -> None:
    """With a shard for each provider, invented ids would each leave one behind."""

    async def no_owner(
        shard: ShardId, requests: Sequence[Request]
    ) -> Sequence[ShardReply]:
        return [Refusal(RefusalCode.PROVIDER_NOT_FOUND)] * len(requests)

    links = ScriptedLinks(no_owner)
    links.places = Places(placing(Placement.PROVIDER, 1))
    asking = courier(links, SteppingClock())
    for number in range(50):
        await asking.ask(ReadPositions((ProviderId(f"prv_{number}"),)))
    assert len(links.calls) == 50
    assert not asking._queues
    assert not asking._senders
    await asking.close()


async def test_a_reply_that_cannot_be_read_is_a_lost_call() -> None:
    """A shard of another version may send one: no other answer is lost by it."""
    clock = SteppingClock()

    async def garbled(
        shard: ShardId, requests: Sequence[Request]
    ) -> Sequence[ShardReply]:
        clock.time += 10
        if len(links.calls) < 3:
            raise ValidationError("an unknown field")
        return done(requests)

    links = ScriptedLinks(garbled)
    asking = courier(links, clock)
    answers = await asyncio.gather(*(asking.ask(check_in(n)) for n in range(3)))
    assert len(answers) == 3
    assert asking.tally.lost_calls == 2
    await asking.close()
