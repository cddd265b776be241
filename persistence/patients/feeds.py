"""Calendars that other programs subscribe to, over records and read model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from actors.domain.ids import Millis
from actors.domain.messages.answers import BookingView
from care.accounts.accounts import AccountStatus
from care.feeds.ics import CalendarEvent, calendar_text
from care.feeds.ports import (
    EVENTS_MAX,
    FEEDS_MAX,
    PAST_MINUTES,
    FeedEntry,
    FeedLimit,
    FeedOf,
    NewFeed,
)
from care.notices.ports import VisitPlace
from care.notices.visits import MINUTE_MS
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PatientRecord,
)
from persistence.notices.links import NoticeLinks
from persistence.notices.models import ToldVisitRecord
from persistence.patients.models import CalendarFeedRecord
from persistence.readmodel.queries.told import feed_visits
from persistence.sql.records import Records
from persistence.sql.statements import portions

SEEN_APART_MS: Final = 3_600_000
"""How exactly it is kept when a feed was read last: programs read all the time."""


class SqlFeeds:
    """Implements Feeds."""

    def __init__(
        self, records: Records, read_model: AsyncEngine, links: NoticeLinks
    ) -> None:
        self._records = records
        self._read_model = read_model
        self._links = links

    async def add(self, new: NewFeed, *, now: Millis) -> FeedEntry:
        """See Feeds.add."""
        row = CalendarFeedRecord
        async with self._records.writing() as session:
            # Locked, so that two requests cannot both be the last that fits.
            account = select(AccountRecord.account_id).where(
                AccountRecord.account_id == new.account_id
            )
            await session.execute(account.with_for_update())
            mine = select(func.count()).where(row.account_id == new.account_id)
            if int(await session.scalar(mine) or 0) >= FEEDS_MAX:
                raise FeedLimit
            session.add(
                row(
                    feed_id=new.feed_id,
                    account_id=new.account_id,
                    of=new.of.value,
                    subject=new.subject,
                    label=new.label,
                    secret_hash=new.secret_hash,
                    created_at=now,
                )
            )
        return FeedEntry(new.feed_id, new.of, new.label, now)

    async def of_account(self, account_id: str) -> Sequence[FeedEntry]:
        """See Feeds.of_account."""
        row = CalendarFeedRecord
        query = (
            select(row)
            .where(row.account_id == account_id)
            .order_by(row.created_at, row.feed_id)
        )
        async with self._records.reading() as session:
            found = (await session.scalars(query)).all()
        return [
            FeedEntry(
                one.feed_id,
                FeedOf(one.of),
                one.label,
                Millis(one.created_at),
                None if one.read_at is None else Millis(one.read_at),
            )
            for one in found
        ]

    async def revoke(self, account_id: str, feed_id: str, *, now: Millis) -> bool:
        """See Feeds.revoke."""
        row = CalendarFeedRecord
        gone = delete(row).where(row.account_id == account_id, row.feed_id == feed_id)
        async with self._records.writing() as session:
            done: Any = await session.execute(gone)
        return cast("CursorResult[Any]", done).rowcount > 0

    async def text(self, secret_hash: str, *, now: Millis) -> str | None:
        """See Feeds.text."""
        row = CalendarFeedRecord
        async with self._records.reading() as session:
            query = select(row).where(row.secret_hash == secret_hash)
            found = (await session.scalars(query)).one_or_none()
            if found is None or not await _is_in_force(session, found):
                return None
        of = FeedOf(found.of)
        visits, places = await feed_visits(
            self._read_model,
            patient=found.subject if of is FeedOf.PATIENT else "",
            provider=found.subject if of is FeedOf.PROVIDER else "",
            first=now // MINUTE_MS - PAST_MINUTES,
            limit=EVENTS_MAX,
        )
        async with self._records.reading() as session:
            sequences = await _sequences(session, [one.booking_id for one in visits])
        await self._note_read(found, now)
        events = [
            self._event(of, one, places.get(one.provider_id), sequences)
            for one in visits
        ]
        return calendar_text(events, name=found.label)

    def _event(
        self,
        of: FeedOf,
        view: BookingView,
        place: VisitPlace | None,
        sequences: Mapping[str, int],
    ) -> CalendarEvent:
        # Nothing of the patient and nothing medical: other companies keep these.
        clinic = place.clinic if place else ""
        provider = place.provider if place else ""
        own = " – ".join(part for part in (clinic, provider) if part)
        where = ", ".join(p for p in (clinic, place.address if place else "") if p)
        return CalendarEvent(
            uid=self._links.event_uid(view.booking_id),
            sequence=sequences.get(view.booking_id, 0),
            stamp=view.booked_at,
            start=view.start,
            end=view.end,
            summary=(own or "Visit") if of is FeedOf.PATIENT else "Visit",
            location=where,
            url=self._links.visits if of is FeedOf.PATIENT else "",
        )

    async def _note_read(self, found: CalendarFeedRecord, now: Millis) -> None:
        if found.read_at is not None and now - found.read_at < SEEN_APART_MS:
            return
        row = CalendarFeedRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row).where(row.feed_id == found.feed_id).values(read_at=now)
            )


async def _is_in_force(session: AsyncSession, feed: CalendarFeedRecord) -> bool:
    """Whether its account may still see these visits."""
    account, member, patient = AccountRecord, MembershipRecord, PatientRecord
    mine = (
        account.account_id == feed.account_id,
        account.status == AccountStatus.ACTIVE.value,
    )
    query = select(account.account_id).where(*mine)
    if feed.of == FeedOf.PROVIDER.value:
        query = query.join(member, member.account_id == account.account_id).where(
            member.provider_id == feed.subject, member.ended_at.is_(None)
        )
    else:
        query = query.join(patient, patient.account_id == account.account_id).where(
            patient.patient_id == feed.subject, patient.erased_at.is_(None)
        )
    return (await session.scalars(query.limit(1))).first() is not None


async def _sequences(session: AsyncSession, ids: Sequence[str]) -> Mapping[str, int]:
    row, found = ToldVisitRecord, {}
    for part in portions(ids):
        query = select(row.booking_id, row.sequence).where(row.booking_id.in_(part))
        for booking_id, sequence in await session.execute(query):
            found[booking_id] = sequence
    return found
