"""What else is known of the visit that a message is about, when it is to go out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import BookingId, Millis, Minute, ProviderId
from care.notices.kinds import NoticeKind
from care.notices.messages import (
    Channel,
    DeliveryStatus,
    MessageAbout,
    MessagePlace,
    OtherMessage,
    deliver_kind,
)
from persistence.jobs.models import JobRecord
from persistence.notices.models import (
    NoticeRecord,
    OutgoingMessageRecord,
    ToldVisitRecord,
)

_JOBS = sorted(map(deliver_kind, Channel))


def about_of(row: Any) -> MessageAbout | None:
    """What the message itself says; None if it is about no visit."""
    if row.notice_id is None:
        return None
    return MessageAbout(
        row.notice_id,
        ProviderId(row.provider_id),
        BookingId(row.booking_id),
        Minute(row.start_minute),
        row.is_proxy,
        patient_id=row.patient_id or "",
    )


async def beside_of(
    session: AsyncSession, rows: Sequence[Any]
) -> Mapping[str, MessageAbout]:
    """Of those among these messages that are about a visit and were not sent yet."""
    waiting = [
        one for one in rows if one.notice_id and one.status == DeliveryStatus.QUEUED
    ]
    bookings = sorted({one.booking_id for one in waiting})
    if not bookings:
        return {}
    told = ToldVisitRecord
    query = select(told.booking_id, told.start_minute)
    visits = await session.execute(query.where(told.booking_id.in_(bookings)))
    starts: dict[str, int] = {one.booking_id: one.start_minute for one in visits}
    lines: dict[tuple[str, ...], dict[str, OtherMessage]] = defaultdict(dict)
    for one in await session.execute(_others(bookings)):
        lines[_line_of(one)][one.message_id] = _other(one)
    found = {}
    for one in waiting:
        about = about_of(one)
        line = dict(lines[_line_of(one)])
        mine = line.pop(one.message_id, None)
        if about is None or mine is None:
            continue
        start = starts.get(one.booking_id)
        found[one.message_id] = replace(
            about,
            told_start=None if start is None else Minute(start),
            place=mine.place,
            others=tuple(line.values()),
        )
    return found


def _others(bookings: Sequence[str]) -> Any:
    row, notice, job = OutgoingMessageRecord, NoticeRecord, JobRecord
    its_job = and_(job.kind.in_(_JOBS), job.key == row.message_id)
    return (
        select(
            *(row.message_id, row.booking_id, row.channel, row.recipient_i),
            *(row.kind, row.created_at, notice.version, job.due_at, job.attempts),
        )
        .join(notice, notice.notice_id == row.notice_id)
        .outerjoin(job, its_job)
        .where(row.booking_id.in_(bookings))
    )


def _line_of(row: Any) -> tuple[str, ...]:
    """Whose messages are sent in order."""
    return row.booking_id, row.channel, row.recipient_i


def _other(row: Any) -> OtherMessage:
    is_reminder = row.kind in (NoticeKind.REMINDER, NoticeKind.UNRESOLVED)
    place = MessagePlace(row.version, is_reminder, Millis(row.created_at))
    due = None if row.due_at is None else Millis(row.due_at)
    return OtherMessage(row.kind, place, due, row.attempts or 0)
