"""Addresses of doctors' own calendars, over the records.

A claim keeps two workers from one calendar, so that the end of an import never meets
an import that is under way. It ends by itself when a worker dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import CursorResult, case, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis, Minute, ProviderId
from care.accounts.accounts import AccountStatus
from care.busy.ports import (
    ASKED_APART_MS,
    CLAIM_MS,
    EVERY_MS,
    REFRESH,
    BusyCalendar,
    BusyClaimed,
    BusyCounts,
    BusyFailure,
    BusyOutcome,
    BusyTask,
    ReadBefore,
    next_attempt,
)
from care.jobs.jobs import NewJob
from care.keys.sealing import Place
from persistence.accounts.models import AccountRecord, MembershipRecord
from persistence.directory.busy.models import BusyCalendarRecord
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.sql.records import Records


class SqlBusyCalendars:
    """Implements BusyCalendars, for gateways, and BusyTasks, for workers."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def find(self, provider_id: ProviderId) -> BusyCalendar | None:
        """See BusyCalendars.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(BusyCalendarRecord, provider_id)
        return None if row is None else _value(keys, row)

    async def put(
        self,
        provider_id: ProviderId,
        calendar_id: str,
        url: str,
        *,
        by: tuple[str, str],
        now: Millis,
    ) -> BusyCalendar:
        """See BusyCalendars.put."""
        put = partial(self._put, provider_id, calendar_id, url, by, now)
        try:
            return await put()
        except IntegrityError:  # another request made the row: this one replaces it
            return await put()

    async def _put(
        self,
        provider_id: ProviderId,
        calendar_id: str,
        url: str,
        by: tuple[str, str],
        now: Millis,
    ) -> BusyCalendar:
        keys = await self._ring.of()
        account_id, grant_id = by
        async with self._records.writing() as session:
            row = await _locked(session, provider_id)
            if row is None:
                row = BusyCalendarRecord(provider_id=provider_id, claimed_until=None)
                session.add(row)
            row.calendar_id = calendar_id
            row.account_id, row.grant_id = account_id, grant_id
            row.address = keys.seal(_place(provider_id), url)
            row.set_at = row.next_at = now
            row.tried_at = row.read_at = row.cut_from = None
            row.etag = row.modified = row.digest = row.failure = ""
            row.failures = row.spans = row.skipped = 0
            session.add(_job(provider_id, f"set-{calendar_id}", now))
        found = _value(keys, row)
        assert found is not None, "it was just set"
        return found

    async def refresh(self, provider_id: ProviderId, *, now: Millis) -> None:
        """See BusyCalendars.refresh."""
        async with self._records.writing() as session:
            row = await _locked(session, provider_id)
            if row is None or row.address is None or row.next_at <= now:
                return
            if now - (row.tried_at or 0) < ASKED_APART_MS:
                return
            row.next_at = now
            row.etag = row.modified = row.digest = ""
            session.add(_job(provider_id, f"asked-{now}", now))

    async def remove(self, provider_id: ProviderId, *, now: Millis) -> None:
        """See BusyCalendars.remove."""
        async with self._records.writing() as session:
            row = await _locked(session, provider_id)
            if row is None or row.address is None:
                return
            row.address, row.next_at = None, now
            session.add(_job(provider_id, f"end-{row.calendar_id}", now))

    async def counts(self) -> BusyCounts:
        """See BusyCalendars.counts."""
        row = BusyCalendarRecord
        query = select(
            func.count(),
            func.count(case((row.failure != "", 1))),
            func.min(row.read_at),
        ).where(row.address.is_not(None))
        async with self._records.reading() as session:
            calendars, failing, oldest = (await session.execute(query)).one()
        return BusyCounts(calendars, failing, _instant(oldest))

    async def due(self, *, now: Millis, limit: int) -> Sequence[NewJob]:
        """See BusyTasks.due."""
        row = BusyCalendarRecord
        is_free = or_(row.claimed_until.is_(None), row.claimed_until <= now)
        query = select(row.provider_id).where(row.next_at <= now, is_free)
        query = query.order_by(row.next_at, row.provider_id).limit(limit)
        async with self._records.reading() as session:
            found = (await session.scalars(query)).all()
        # One a period: a job that was given up does not keep a calendar for ever.
        period = now // EVERY_MS
        return [
            NewJob(REFRESH, f"{one}@{period}", now, {"provider_id": one})
            for one in found
        ]

    async def claim(self, provider_id: ProviderId, *, now: Millis) -> BusyTask | None:
        """See BusyTasks.claim. Raises BusyClaimed."""
        keys = await self._ring.of()
        async with self._records.writing() as session:
            row = await _locked(session, provider_id)
            if row is None:
                return None
            if row.claimed_until is not None and row.claimed_until > now:
                raise BusyClaimed
            row.claimed_until = now + CLAIM_MS
            if not await _is_in_force(session, row):
                row.address = None
        url = row.address
        return BusyTask(
            provider_id=provider_id,
            calendar_id=row.calendar_id,
            account_id=row.account_id,
            url=None if url is None else keys.open(_place(provider_id), url),
            before=ReadBefore(row.etag, row.modified, row.digest),
            failures=row.failures,
            claimed_until=Millis(row.claimed_until),
        )

    async def settle(
        self, task: BusyTask, outcome: BusyOutcome, *, now: Millis
    ) -> None:
        """See BusyTasks.settle."""
        async with self._records.writing() as session:
            row = await _locked(session, task.provider_id)
            if row is None or row.claimed_until != task.claimed_until:
                return
            row.claimed_until = None
            if row.calendar_id != task.calendar_id or row.address is None:
                return  # another one since, or it is to end: that has a job of its own
            row.tried_at, row.next_at = now, next_attempt(task, outcome, now)
            if outcome.failure is not None:
                row.failure, row.failures = outcome.failure.value, row.failures + 1
                return
            row.read_at, row.failure, row.failures = now, "", 0
            if outcome.is_unchanged:
                return
            before = outcome.before
            row.etag, row.modified = before.etag, before.modified
            row.digest = before.digest
            row.spans, row.skipped = outcome.spans, outcome.skipped
            row.cut_from = outcome.cut_from

    async def forget(self, task: BusyTask) -> None:
        """See BusyTasks.forget."""
        row = BusyCalendarRecord
        mine = (
            row.provider_id == task.provider_id,
            row.claimed_until == task.claimed_until,
        )
        async with self._records.writing() as session:
            gone = delete(row).where(*mine, row.address.is_(None))
            done: Any = await session.execute(gone)
            if not cast("CursorResult[Any]", done).rowcount:
                await session.execute(
                    update(row).where(*mine).values(claimed_until=None)
                )

    async def release(self, task: BusyTask) -> None:
        """See BusyTasks.release."""
        row = BusyCalendarRecord
        mine = (
            row.provider_id == task.provider_id,
            row.claimed_until == task.claimed_until,
        )
        async with self._records.writing() as session:
            await session.execute(update(row).where(*mine).values(claimed_until=None))


async def _locked(
    session: AsyncSession, provider_id: ProviderId
) -> BusyCalendarRecord | None:
    return await session.get(BusyCalendarRecord, provider_id, with_for_update=True)


async def _is_in_force(session: AsyncSession, row: BusyCalendarRecord) -> bool:
    """Whether the account that gave the address is still what it was then."""
    account = await session.get(AccountRecord, row.account_id)
    if account is None or account.status != AccountStatus.ACTIVE.value:
        return False
    member = await session.get(MembershipRecord, row.grant_id)
    return (
        member is not None
        and member.account_id == row.account_id
        and member.ended_at is None
    )


def _value(keys: TenantKeys, row: BusyCalendarRecord) -> BusyCalendar | None:
    if row.address is None:
        return None
    provider_id = ProviderId(row.provider_id)
    address = keys.open(_place(provider_id), row.address)
    return BusyCalendar(
        provider_id=provider_id,
        host=urlsplit(address).hostname or "",
        set_at=Millis(row.set_at),
        next_at=Millis(row.next_at),
        tried_at=_instant(row.tried_at),
        read_at=_instant(row.read_at),
        failure=BusyFailure(row.failure) if row.failure else None,
        failures=row.failures,
        spans=row.spans,
        skipped=row.skipped,
        cut_from=None if row.cut_from is None else Minute(row.cut_from),
    )


def _instant(at: int | None) -> Millis | None:
    return None if at is None else Millis(at)


def _job(provider_id: ProviderId, intention: str, now: Millis) -> JobRecord:
    return JobRecord(
        kind=REFRESH,
        key=f"{provider_id}@{intention}",
        payload={"provider_id": provider_id},
        created_at=now,
        due_at=now,
    )


def _place(provider_id: str) -> Place:
    return Place("busy_calendar", "address", provider_id)
