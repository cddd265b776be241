"""Jobs of leave: rows of affected visits, choices that are gone on with, reminders.

Rows come from the outbox as notices do, so that they are made whatever died in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from actors.domain.ids import Millis, Minute, ProviderId, TimeOffId
from actors.errors import Unavailable
from actors.ports import Clock
from care.jobs.jobs import Job, JobError
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler
from care.leave.carrying import Carrier
from care.leave.opening import leave_of, open_leave, settle_open, visit_of
from care.leave.ports import REMIND_TO_CHOOSE, Ask, LeaveQueue
from care.leave.visits import MINUTE_MS, RowState, settled_by_calendar
from care.notices.kinds import NoticeKind
from care.notices.ports import Reminding, Teller
from care.notices.visits import SETTLING_KINDS
from cluster.work.gathering import Gathered

if TYPE_CHECKING:
    from actors.domain.messages.answers import Reply
    from actors.ports import Calendars, Request
    from care.keys.ports import PersonKeys

ADDED: Final = "leave.added"
REMOVED: Final = "leave.removed"
GO_ON: Final = "leave.settle"
"""Goes on with choices, and looks whether open visits were settled elsewhere."""
LEAVE_PERIODIC: Final = (Periodic(GO_ON, 60_000),)
CARRIED_AFTER_MS: Final = 15_000
"""When a choice that was not carried out is gone on with: its gateway is dead."""
SEEN_AFTER_MS: Final = 10 * 60_000
"""How often an open visit's calendar is asked."""
AT_ONCE: Final = 200
"""Rows that one job looks at."""
PATIENT_MS: Final = 3 * 24 * 3_600_000
"""How long rows of a leave are tried to be made while stores are away."""
_AWAY: Final = "a store or a calendar that leave needs does not answer"
Result = TypeVar("Result")


class LeaveNeeds(Struct, frozen=True):
    """What the jobs work with.

    ``clear`` makes what asks with the reasons of visits in the clear, which go along
    to another provider, and books visits with the rooms that they take.
    """

    queue: LeaveQueue
    ask: Ask
    clear: Callable[[], Ask]
    telling: Teller
    clock: Clock


class LeaveJobs:
    """Runs the jobs of leave."""

    def __init__(self, needs: LeaveNeeds) -> None:
        self._needs = needs
        self._queue = needs.queue
        self._settled = Gathered(self._settle_all)

    # --- of the jobs table ---------------------------------------------------------

    async def go_on(self, _job: Job) -> None:
        """Go on with choices, and look at open visits. Raises Unavailable."""
        now, needs = self._now(), self._needs
        rows = await self._queue.due(
            chosen_before=Millis(now - CARRIED_AFTER_MS),
            seen_before=Millis(now - SEEN_AFTER_MS),
            limit=AT_ONCE,
        )
        failed = 0
        carrier = Carrier(self._queue, needs.clear(), needs.clock)
        for row in rows:
            if row.state is RowState.CHOSEN:
                try:
                    await carrier.carry(row)
                except Unavailable:
                    failed += 1  # its calendar is away; those of others are not
        await settle_open(self._queue, needs.ask, rows, now)
        if failed:
            raise Unavailable(f"{failed} choices wait for their calendars")

    async def remind(self, job: Job) -> None:
        """Remind a patient who has not chosen. Raises Unavailable."""
        payload, now = job.payload, self._now()
        for row in await self._queue.unresolved([payload["booking_id"]]):
            if row.state is not RowState.OPEN or row.start != payload["start"]:
                continue
            view = await visit_of(self._needs.ask, row)
            if view is None or settled_by_calendar(row, view, now) is not None:
                continue
            due = Reminding(view, row.opened_at // MINUTE_MS, NoticeKind.UNRESOLVED)
            await self._needs.telling.remind([due], now=now)
            return

    # --- of the outbox -------------------------------------------------------------

    async def added(self, job: Job) -> None:
        """Make the rows of a leave. Raises Unavailable."""
        payload, now, ask = job.payload, self._now(), self._needs.ask
        provider_id = ProviderId(payload["provider_id"])
        wanted = TimeOffId(payload["time_off_id"])
        leave = await leave_of(ask, provider_id, wanted, now)
        if leave is not None:
            await open_leave(self._queue, ask, leave, now)

    async def removed(self, job: Job) -> None:
        """Withdraw what is open of a leave. Raises Unavailable."""
        leave = TimeOffId(job.payload["time_off_id"])
        await self._queue.withdraw(leave, now=self._now())

    async def settle(self, job: Job) -> None:
        """Resolve the rows of a visit if its calendar says so. Raises Unavailable."""
        await self._settled(str(job.payload["booking_id"]))

    async def _settle_all(self, bookings: Sequence[str]) -> list[None]:
        rows = await self._queue.unresolved(set(bookings))
        await settle_open(self._queue, self._needs.ask, rows, self._now())
        return [None] * len(bookings)

    def _now(self) -> Millis:
        return self._needs.clock.now()


def leave_handlers(needs: LeaveNeeds) -> Mapping[str, Handler]:
    """Handlers of the jobs table."""
    jobs = LeaveJobs(needs)

    async def remind(job: Job) -> None:
        begins = Millis(Minute(job.payload["start"]) * MINUTE_MS)
        await _or_later(jobs.remind(job), begins)

    async def go_on(job: Job) -> None:
        await _or_later(jobs.go_on(job), job.created_at)

    return {GO_ON: go_on, REMIND_TO_CHOOSE: remind}


def leave_outbox_handlers(
    needs: LeaveNeeds, told: Mapping[str, Handler]
) -> Mapping[str, Handler]:
    """Handlers of the outbox: ``told`` are those that tell people, which come first."""
    jobs = LeaveJobs(needs)
    settling = {
        kind: _then(tell, _patient(jobs.settle))
        for kind, tell in told.items()
        if kind in SETTLING_KINDS
    }
    own = {ADDED: _patient(jobs.added), REMOVED: _patient(jobs.removed)}
    return {**told, **settling, **own}


def _then(first: Handler, second: Handler) -> Handler:
    async def run(job: Job) -> None:
        await first(job)
        await second(job)

    return run


def _patient(handler: Handler) -> Handler:
    """The same, tried for days while stores are away."""

    async def run(job: Job) -> None:
        await _or_later(handler(job), Millis(job.created_at + PATIENT_MS))

    return run


def asking(
    calendars: Calendars,
    persons: Callable[[], PersonKeys],
    whole: Callable[[Calendars], Ask],
) -> Callable[[], Ask]:
    """Makes what asks calendars with the reasons of visits in the clear.

    ``whole`` makes of calendars what books visits with the rooms that they take.

    Each has keys of its own: a worker does not follow their rotation.
    """

    def clear() -> Ask:
        keys = persons()
        made: list[Ask] = []

        async def ask(request: Request) -> Reply:
            if not made:
                # Loaded with the first question: most workers of most sites have none.
                from gateway.calendars.reasons import SealedReasons

                made.append(whole(SealedReasons(calendars, keys)))
            return await made[0](request)

        return ask

    return clear


async def _or_later(work: Awaitable[Result], until: Millis) -> Result:
    try:
        return await work
    except Unavailable:
        raise JobError(_AWAY, until=until) from None
