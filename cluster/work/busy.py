"""Jobs that keep imported time off as the doctors' own calendars are.

What is missing is added before what is too much is removed: a time that stays busy is
at no instant offered. What cannot be read changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Final, TypeVar

from msgspec import Struct

from actors.domain.ids import Millis, ProviderId, TimeOffId
from actors.domain.messages.answers import ProviderView, Reply
from actors.domain.messages.commands import AddTimeOff, RemoveTimeOff
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import TimeOff
from actors.errors import Unavailable
from actors.ports import Calendars, Clock
from care.busy.ports import (
    EVERY_MS,
    REFRESH,
    BusyClaimed,
    BusyFailure,
    BusyOutcome,
    BusyTask,
    BusyTasks,
    BusyUnreadable,
    ReadBefore,
)
from care.busy.slimming import slimmed
from care.busy.spans import (
    BusyReading,
    BusySpan,
    BusyWanted,
    differences,
    horizon_at,
    imported_id,
    wanted_spans,
)
from care.jobs.jobs import Job, JobError, NewJob
from care.jobs.periodic import Periodic
from care.jobs.ports import Handler, JobQueue
from cluster.site.site import Site
from cluster.work.busy_reader import BusyReader
from persistence.directory.busy.fetching import CalendarFetcher, FetchFailed
from persistence.notices.links import NoticeLinks
from persistence.notices.push.network import connections

log = logging.getLogger(__name__)

FIND_DUE: Final = "busy.due"
"""Adds the jobs of calendars that are due."""
BUSY_PERIODIC: Final = (Periodic(FIND_DUE, 60_000),)
DUE_AT_ONCE: Final = 500
AT_ONCE: Final = 8
"""Calendars that one worker fetches at a time: each may have five megabytes."""
AGAIN_MS: Final = 5_000
"""When a calendar that another worker has is looked at again."""
DEADLINE_MS: Final = 10_000
"""How long a calendar may take to a command."""
COMMANDS_AT_ONCE: Final = 50
_DAY_MS: Final = 24 * 3_600_000
_AWAY: Final = "a store or a calendar does not answer"
_OVER: Final = "reading the calendar took longer than its claim"

Read = Callable[[bytes, BusyWanted], Awaitable[BusyReading]]
Item = TypeVar("Item")


class BusyNeeds(Struct, frozen=True):
    """What the import works with. ``own_host``: in the ids of this site's visits."""

    tasks: BusyTasks
    fetcher: CalendarFetcher
    read: Read
    calendars: Calendars
    clock: Clock
    own_host: str


class BusyImport:
    """Makes imported time off what a doctor's own calendar says."""

    def __init__(self, needs: BusyNeeds) -> None:
        self._tasks = needs.tasks
        self._needs = needs
        self._clock = needs.clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._sending: set[BusyTask] = set()
        """Those whose commands may still be on their way."""

    def now(self) -> Millis:
        """The current instant."""
        return self._clock.now()

    async def due(self) -> Sequence[NewJob]:
        """The jobs of calendars that are due."""
        return await self._tasks.due(now=self._clock.now(), limit=DUE_AT_ONCE)

    async def close(self) -> None:
        """End the connections."""
        await self._needs.fetcher.close()

    async def refresh(self, job: Job) -> None:
        """Run the job of one calendar. Raises JobError."""
        until = Millis(job.created_at + EVERY_MS)
        try:
            async with self._turns:
                await self._refresh(ProviderId(job.payload["provider_id"]))
        except BusyClaimed:
            reason = "another worker reads this calendar"
            raise JobError(reason, after_ms=AGAIN_MS, until=until) from None
        except Unavailable:
            raise JobError(_AWAY, until=until) from None

    async def _refresh(self, provider_id: ProviderId) -> None:
        task = await self._tasks.claim(provider_id, now=self._clock.now())
        if task is None:
            return
        try:
            view = await self._needs.calendars.ask(ReadProvider(provider_id))
            if task.url is None:
                await self._end(task, view)
                return
            outcome = BusyOutcome(BusyFailure.NOT_TAKEN)
            if isinstance(view, ProviderView):
                outcome = await self._import(task, task.url, view)
            await self._tasks.settle(task, outcome, now=self._clock.now())
        except BaseException:
            if task not in self._sending:
                with suppress(Unavailable):
                    await self._tasks.release(task)
            # Else the claim runs out: what was sent may be carried out until then, and
            # the end of an import must come after that.
            raise
        finally:
            self._sending.discard(task)

    async def _end(self, task: BusyTask, view: Reply) -> None:
        """Give all imported time back, and forget the calendar."""
        if isinstance(view, ProviderView):
            await self._apply(task, [], view.time_off)
        await self._tasks.forget(task)

    async def _import(
        self, task: BusyTask, url: str, view: ProviderView
    ) -> BusyOutcome:
        now, zone = self._clock.now(), _zone_name(view)
        # Once a day it is read whole: what is over is removed, months are added, and
        # imported time off that was removed by hand comes back.
        basis = f"{now // _DAY_MS}.{zone}."
        before = task.before
        if not before.digest.startswith(basis):
            before = ReadBefore()
        try:
            found = await self._needs.fetcher.fetch(url, before)
            if found.text is None:
                return BusyOutcome(is_unchanged=True)
            slim = slimmed(found.text)
            digest = basis + sha256(slim).hexdigest()[:32]
            if digest == before.digest:
                return BusyOutcome(is_unchanged=True)
            horizon = horizon_at(now)
            wanted = BusyWanted(zone, horizon.start, horizon.end, self._needs.own_host)
            reading = await self._needs.read(slim, wanted)
        except FetchFailed as error:
            return BusyOutcome(error.failure, error.after_ms)
        except BusyUnreadable as error:
            return BusyOutcome(error.failure)
        spans, cut_from = wanted_spans(reading.spans, now)
        if not await self._apply(task, spans, view.time_off):
            return BusyOutcome(BusyFailure.NOT_TAKEN)
        return BusyOutcome(
            before=ReadBefore(found.etag, found.modified, digest),
            spans=len(spans),
            skipped=reading.skipped,
            cut_from=cut_from,
        )

    async def _apply(
        self,
        task: BusyTask,
        spans: Sequence[BusySpan],
        present: Sequence[TimeOff],
    ) -> bool:
        """Send the differences; False if the provider's calendar refuses some."""
        found = differences(task.provider_id, spans, present)
        if found.added or found.removed:
            self._sending.add(task)
        refused = await self._add(task, found.added, "1")
        for part in _portions(found.removed):
            await asyncio.gather(*(self._ask_removal(task, one) for one in part))
        # There was no room beside what was just removed.
        refused = await self._add(task, refused, "2")
        self._sending.discard(task)
        log.info(
            "busy times",
            extra={
                "provider": task.provider_id,
                "added": len(found.added) - len(refused),
                "removed": len(found.removed),
            },
        )
        return not refused

    async def _add(
        self, task: BusyTask, spans: Sequence[BusySpan], attempt: str
    ) -> Sequence[BusySpan]:
        """Add time off; those that were refused."""
        refused: list[BusySpan] = []
        for part in _portions(spans):
            replies = await asyncio.gather(
                *(self._ask_addition(task, one, attempt) for one in part)
            )
            refused += [
                one
                for one, reply in zip(part, replies, strict=True)
                if isinstance(reply, Refusal)
            ]
        return refused

    async def _ask_addition(
        self, task: BusyTask, span: BusySpan, attempt: str
    ) -> Reply:
        name = imported_id(task.provider_id, span)
        command = AddTimeOff(
            provider_id=task.provider_id,
            time_off_id=name,
            # Repeated when its outcome is unknown, it has the same answer.
            key=f"{name}.{task.claimed_until}.{attempt}",
            start=span.start,
            end=span.end,
            by=task.account_id,
            deadline=self._deadline(task),
        )
        return await self._needs.calendars.ask(command)

    async def _ask_removal(self, task: BusyTask, name: str) -> Reply:
        command = RemoveTimeOff(
            provider_id=task.provider_id,
            time_off_id=TimeOffId(name),
            by=task.account_id,
            deadline=self._deadline(task),
        )
        reply = await self._needs.calendars.ask(command)
        if isinstance(reply, Refusal) and reply.code is RefusalCode.DEADLINE_PASSED:
            raise Unavailable(_OVER)
        return reply

    def _deadline(self, task: BusyTask) -> Millis:
        """Until when a command may be carried out: another worker's come afterwards.

        Raises:
            Unavailable: the claim has ended, and nothing more may be sent.
        """
        now = self._clock.now()
        if now >= task.claimed_until:
            raise Unavailable(_OVER)
        return Millis(min(now + DEADLINE_MS, task.claimed_until))


def import_of(
    site: Site,
    tasks: BusyTasks,
    calendars: Calendars,
    clock: Clock,
) -> BusyImport:
    """The import of a site. Close it."""
    settings = site.settings
    pool = connections(is_open=settings.calendars_anywhere)
    return BusyImport(
        BusyNeeds(
            tasks=tasks,
            fetcher=CalendarFetcher(pool, is_open=settings.calendars_anywhere),
            read=BusyReader().read,
            calendars=calendars,
            clock=clock,
            own_host=NoticeLinks(settings.site_url).host,
        )
    )


def busy_handlers(imports: BusyImport, queue: JobQueue) -> Mapping[str, Handler]:
    """Handlers of jobs of busy times."""

    async def find_due(_job: Job) -> None:
        if found := await imports.due():
            await queue.add(found, now=imports.now())

    return {FIND_DUE: find_due, REFRESH: imports.refresh}


def _zone_name(view: ProviderView) -> str:
    """The zone of the doctor's dates: of the first place, else of the clinic."""
    places = view.availability.locations
    return places[0].time_zone if places else view.profile.clinic.time_zone


def _portions(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [
        items[start : start + COMMANDS_AT_ONCE]
        for start in range(0, len(items), COMMANDS_AT_ONCE)
    ]
