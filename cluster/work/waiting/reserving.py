"""Calendars know what is waited for: told at each change, and compared now and then.

A change of an entry adds a job in its own transaction. What no job tells of is found by
the comparison: providers that come to a clinic or leave it, new visit types, entries
that end by their date, and entries that were erased with their patient.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from actors.domain.ids import Millis, ProviderId, provider_of
from actors.domain.messages.answers import BookingStatus, BookingView, ProviderView
from actors.domain.messages.commands import SetWaiting
from actors.domain.messages.reads import ReadBooking, ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Waiting
from actors.errors import Unavailable
from actors.ports import Calendars, Clock
from care.jobs.jobs import Job, JobError, NewJob
from care.jobs.periodic import Periodic
from care.jobs.ports import JobQueue
from care.waiting.entries import KEEP_OFFERS_MS, WaitingEntry, WaitingScope
from care.waiting.ports import (
    COMPARE,
    REFRESH,
    SWEEP,
    WaitedCalendars,
    WaitingList,
)
from care.waiting.ranking import MINUTE_MS, waited_for
from cluster.work.gathering import Gathered
from cluster.work.waiting.timing import COMMAND_MS, DAY_MS

WAITING_PERIODIC: Final = (Periodic(COMPARE, 120_000), Periodic(SWEEP, 600_000))
PROVIDERS_AT_ONCE: Final = 500
"""Calendars of one job; another job goes on after them."""
ASKED_AT_ONCE: Final = 8
TRIES: Final = 8
"""Readings of one calendar and its entries, until both agree."""
ROWS_AT_ONCE: Final = 500
_AGAIN_MS: Final = 1_000
_Page = tuple[WaitingScope, str, str]
"""A scope, its subject, and the provider after which its next ones are told."""


class Reserving:
    """Tells calendars what is waited for; one per worker."""

    def __init__(
        self,
        waiting: WaitingList,
        known: WaitedCalendars,
        calendars: Calendars,
        queue: JobQueue,
        clock: Clock,
    ) -> None:
        self._waiting = waiting
        self._known = known
        self._calendars = calendars
        self._queue = queue
        self._clock = clock
        self._refreshed = Gathered(self._refresh_all)

    async def refresh(self, job: Job) -> None:
        """An entry has changed: its providers' calendars are told."""
        scope, subject = WaitingScope(job.payload["scope"]), str(job.payload["subject"])
        after = str(job.payload.get("after", ""))
        last = await self._refreshed((scope, subject, after))
        if last:
            named = {"scope": scope.value, "subject": subject}
            await self._go_on(REFRESH, job, last, named)

    async def _refresh_all(self, wanted: Sequence[_Page]) -> list[str]:
        """Of hundreds that join at once the calendars are told once, not each time.

        The last provider of each page that has more after it, else nothing.
        """
        last: dict[_Page, str] = {}
        for page in dict.fromkeys(wanted):
            scope, subject, after = page
            found = await self._known.subjects(
                scope, subject, after=after, limit=PROVIDERS_AT_ONCE
            )
            await self._tell_all(found)
            last[page] = found[-1] if len(found) == PROVIDERS_AT_ONCE else ""
        return [last[page] for page in wanted]

    async def compare(self, job: Job) -> None:
        """All calendars that reserve, or are to, know what is waited for."""
        after = str(job.payload.get("after", ""))
        found = await self._known.covered(after=after, limit=PROVIDERS_AT_ONCE)
        await self._tell_all(found)
        if len(found) == PROVIDERS_AT_ONCE:
            await self._go_on(COMPARE, job, found[-1], {})

    async def _go_on(
        self, kind: str, job: Job, after: str, named: dict[str, str]
    ) -> None:
        """Add the job of what comes after this id."""
        now = self._clock.now()
        key = f"{job.key.partition(' ')[0]} {after}"
        more = NewJob(kind, key, now, {**named, "after": after})
        await self._queue.add([more], now=now)

    async def _tell_all(self, found: Sequence[ProviderId]) -> None:
        """Tell each, also when others do not answer. Raises Unavailable, JobError."""
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def tell(provider_id: ProviderId) -> None:
            async with turns:
                await self._tell(provider_id)

        await _all_of(map(tell, found))

    async def _tell(self, provider_id: ProviderId) -> None:
        """Tell a calendar until it has what the entries say.

        Of two workers, the one that read earlier may be the last to tell.
        """
        for _ in range(TRIES):
            view = await self._calendars.ask(ReadProvider(provider_id))
            if not isinstance(view, ProviderView):
                await self._known.note_told(provider_id, reserves=False)
                return
            wanted = await self._wanted(view)
            if wanted == view.waiting:
                await self._known.note_told(provider_id, reserves=wanted is not None)
                return
            if wanted is not None:
                await self._known.note_told(provider_id, reserves=True)
            await self._calendars.ask(
                SetWaiting(
                    provider_id=provider_id,
                    deadline=Millis(self._clock.now() + COMMAND_MS),
                    waiting=wanted,
                )
            )
        reason = "the entries and the calendar do not come to agree"
        raise JobError(reason, after_ms=_AGAIN_MS)

    async def _wanted(self, view: ProviderView) -> Waiting | None:
        profile = view.profile
        if profile.retired or profile.suspended:
            return None
        entries = await self._waiting.covering(
            view.provider_id, profile.clinic.clinic_id, profile.specialty
        )
        kinds = [one.visit_type for one in view.availability.visit_types if one.active]
        return waited_for(entries, kinds, self._clock.now())

    # --- entries that end ----------------------------------------------------------

    async def end_entries(self, job: Job) -> None:
        """End entries whose last day, or whose visit, is over; forget old offers."""
        now, after = self._clock.now(), str(job.payload.get("after", ""))
        if not after:
            await self._tidy(now)
        found = await self._waiting.with_visits(after=after, limit=ROWS_AT_ONCE)
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def end(entry: WaitingEntry) -> None:
            async with turns:
                if await self._is_over(entry):
                    await self._waiting.leave(entry.entry_id, now=now)

        await _all_of(map(end, found))
        if len(found) == ROWS_AT_ONCE:
            await self._go_on(SWEEP, job, found[-1].entry_id, {})

    async def _tidy(self, now: Millis) -> None:
        # Two days: until the last day has ended everywhere on earth.
        day = datetime.fromtimestamp((now - 2 * DAY_MS) / 1000, UTC).date().isoformat()
        while await self._waiting.expire(before=day, now=now, limit=ROWS_AT_ONCE):
            pass
        before = Millis(now - KEEP_OFFERS_MS)
        while await self._waiting.forget(before=before, limit=ROWS_AT_ONCE):
            pass

    async def _is_over(self, entry: WaitingEntry) -> bool:
        """Whether the visit that an earlier slot would replace is no more."""
        assert entry.booking_id is not None
        provider_id = provider_of(entry.booking_id)
        if provider_id is None:
            return True
        view = await self._calendars.ask(ReadBooking(provider_id, entry.booking_id))
        if isinstance(view, Refusal):
            return view.code is RefusalCode.BOOKING_NOT_FOUND
        if not isinstance(view, BookingView):
            return False
        begun = view.start * MINUTE_MS <= self._clock.now()
        return begun or view.status is not BookingStatus.BOOKED


async def _all_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all, whichever fail; then raise what the first that failed raised."""
    ended = await asyncio.gather(*works, return_exceptions=True)
    failed = [one for one in ended if isinstance(one, BaseException)]
    for error in failed:
        if not isinstance(error, Unavailable | JobError):
            raise error
    if failed:
        raise failed[0]
