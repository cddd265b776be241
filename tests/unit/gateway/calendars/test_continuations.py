"""Coroutines that are resumed by a calendar's reply, without a task of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    VisitTypeId,
)
from actors.domain.messages.answers import BookingStatus, BookingView, Done, Reply
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import RefusalCode
from actors.errors import Unavailable
from actors.ports import Request, ShardLinks, ShardReply
from gateway.calendars.commitments import Commitments, Slot
from gateway.calendars.continuations import (
    RESUMED_A_TURN,
    Continuation,
    Turns,
    become_task,
    pending_of,
)
from gateway.calendars.courier import Courier
from gateway.calendars.recent import RecentBookings
from gateway.config import GatewayConfig, GatewayPorts
from gateway.wire.errors import Refused
from tests.fakes.clocks import SteppedClock

ONE = ProviderId("prv_1")
ANSWER = Done(ONE, 1, 1)


class _Links:
    """One shard that answers when the test lets it; notes what reached it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[Request] = []

    def shard_of(self, _provider: ProviderId) -> ShardId:
        return ShardId("s0000")

    async def execute(
        self, _shard: ShardId, requests: Sequence[Request], _timeout_s: float
    ) -> Sequence[ShardReply]:
        self.asked += requests
        await self.gate.wait()
        return [ANSWER for _ in requests]


class _Outcomes:
    """Continuations, and how each ended."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def run(self, asked: Coroutine[Any, Any, Any]) -> Continuation[Any]:
        one: Continuation[Any] = Continuation(asked, self._ended)
        one.start()
        return one

    def _ended(self, _one: Continuation[Any], outcome: Any) -> None:
        self.found.append(outcome)


async def turns(count: int = 20) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def a_courier(links: _Links) -> Courier:
    return Courier(cast("ShardLinks", links), SteppedClock(Millis(1_000)))


async def test_a_question_to_a_calendar_needs_no_task() -> None:
    """However many are asked at once, the courier's own task is the only one."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    before = asyncio.all_tasks()
    for _ in range(100):
        outcomes.run(courier.ask(ReadProvider(ONE)))
    await turns()
    assert len(asyncio.all_tasks() - before) == 1
    assert len(links.asked) == 100
    links.gate.set()
    await turns()
    assert outcomes.found == [ANSWER] * 100
    await courier.close()


async def test_several_questions_are_asked_one_after_another() -> None:
    """A coroutine goes on where it was, with each question's own reply."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    links.gate.set()

    async def thrice() -> list[Reply]:
        return [await courier.ask(ReadProvider(ONE)) for _ in range(3)]

    outcomes.run(thrice())
    await turns()
    assert outcomes.found == [[ANSWER] * 3]
    await courier.close()


async def test_what_waits_for_something_else_becomes_a_task() -> None:
    """Results, errors and timeouts reach the coroutine as in any task."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    links.gate.set()
    good: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    bad: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def several() -> tuple[Any, ...]:
        first = await good
        with pytest.raises(KeyError):
            await bad
        second = await courier.ask(ReadProvider(ONE))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        return first, second

    outcomes.run(several())
    good.set_result(7)
    bad.set_exception(KeyError("x"))
    async with asyncio.timeout(60):
        while not outcomes.found:  # noqa: ASYNC110 - a timer's turn is not counted
            await asyncio.sleep(0)
    assert outcomes.found == [(7, ANSWER)]
    await courier.close()


async def test_a_timeout_may_come_first() -> None:
    """``become_task`` makes a task of what has not waited yet, and only of that."""
    outcomes = _Outcomes()

    async def first() -> str:
        await become_task()
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return "within"

    outcomes.run(first())
    await turns()
    assert outcomes.found == ["within"]
    assert await first() == "within"


async def test_control_without_become_task_a_timeout_fails() -> None:
    """This is what the rule is for."""
    outcomes = _Outcomes()

    async def first() -> None:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)

    # A callback of the loop is in no task, as a connection that reads is not.
    asyncio.get_running_loop().call_soon(outcomes.run, first())
    await turns()
    assert isinstance(outcomes.found[0], RuntimeError)


async def test_what_is_closed_before_it_was_sent_is_never_sent() -> None:
    """A client that leaves takes with it what still waits in the queue."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    ended: list[str] = []

    async def asking() -> None:
        try:
            await courier.ask(ReadProvider(ONE))
        finally:
            ended.append("cleaned up")

    outcomes.run(asking())
    await turns()
    second = outcomes.run(asking())
    second.close()
    assert ended == ["cleaned up"]
    links.gate.set()
    await turns()
    assert len(links.asked) == 1
    assert outcomes.found == [None]
    await courier.close()


@pytest.mark.parametrize("waits_for_a_calendar", [True, False])
async def test_what_is_closed_does_not_end(waits_for_a_calendar: bool) -> None:
    """Neither a reply on its way nor a task's end is heard of after ``close``."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    other = asyncio.Event()

    async def asking() -> None:
        if waits_for_a_calendar:
            await courier.ask(ReadProvider(ONE))
        else:
            await other.wait()

    one = outcomes.run(asking())
    await turns()
    links.gate.set()
    other.set()
    one.close()
    await turns()
    assert outcomes.found == []
    await courier.close()


async def test_errors_of_the_courier_reach_the_coroutine() -> None:
    """A courier that closes answers all that wait."""
    links, outcomes = _Links(), _Outcomes()
    courier = a_courier(links)
    outcomes.run(courier.ask(ReadProvider(ONE)))
    await turns()
    await courier.close()
    await turns()
    assert [type(one) for one in outcomes.found] == [Unavailable]


async def test_a_reply_for_many_leaves_others_their_turns() -> None:
    """One turn of the loop resumes a bounded number, in the order of the replies."""
    waiting, outcomes = Turns(), _Outcomes()
    pending = []

    async def asking(number: int) -> int:
        mine = pending_of(waiting)
        assert mine is not None
        pending.append(mine)
        await mine
        return number

    count = 3 * RESUMED_A_TURN
    for number in range(count):
        outcomes.run(asking(number))
    for one in pending:
        one.set_result(ANSWER)
    seen = []
    while len(outcomes.found) < count:
        await asyncio.sleep(0)
        seen.append(len(outcomes.found))
    assert seen == [RESUMED_A_TURN, 2 * RESUMED_A_TURN, count]
    assert outcomes.found == list(range(count))


class _History:
    """A read model that knows of one visit ahead."""

    async def of_patient(
        self, patient_id: PatientId, **_bounds: object
    ) -> tuple[list[BookingView], None]:
        view = BookingView(
            provider_id=ONE,
            epoch=1,
            version=1,
            booking_id=BookingId("bkg_1.a"),
            status=BookingStatus.BOOKED,
            patient_id=patient_id,
            visit_type=VisitTypeId("consult"),
            start=Minute(100),
            end=Minute(130),
            location_id=LocationId("loc_1"),
            booked_at=Millis(1),
        )
        return [view], None


async def test_a_patients_visits_are_counted_outside_of_a_task_too() -> None:
    """The read model is asked within a time limit, which needs a task."""
    ports = SimpleNamespace(
        calendars=None,
        history=_History(),
        waiting=None,
        clock=SteppedClock(Millis(1_000)),
    )
    commitments = Commitments(
        cast("GatewayPorts", ports),
        GatewayConfig(token_keys=(b"k" * 32,), visits_per_person=1),
        RecentBookings(),
    )
    wanted = Slot(ProviderId("prv_2"), VisitTypeId("consult"), Minute(900))
    outcomes = _Outcomes()
    asked = commitments.check_visit(PatientId("pat_1"), wanted)
    asyncio.get_running_loop().call_soon(outcomes.run, asked)
    await turns()
    (refused,) = outcomes.found
    assert isinstance(refused, Refused)
    assert refused.refusal.code is RefusalCode.BOOKING_LIMIT
