"""Messages in SQL: queued with what they are about, delivered by a job."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, json
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.keys.sealing import Place
from care.notices.messages import (
    DELIVER,
    MAILS_A_DAY,
    MAILS_AN_HOUR,
    SMS_A_DAY,
    SMS_APART_MS,
    SMS_OF_SITE_A_DAY,
    Channel,
    Message,
    OutgoingMessage,
)
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.models import OutgoingMessageRecord
from persistence.sql.records import Records

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LIMITS = {
    Channel.MAIL: ((MAILS_AN_HOUR, _HOUR_MS), (MAILS_A_DAY, _DAY_MS)),
    Channel.SMS: ((1, SMS_APART_MS), (SMS_A_DAY, _DAY_MS)),
}
"""How many messages to one address in how many milliseconds."""


class _Content(Struct, frozen=True):
    subject: str
    text: str


async def queue_message(
    session: AsyncSession,
    keys: TenantKeys,
    message_id: str,
    message: Message,
    now: Millis,
    *,
    is_notice: bool = False,
) -> bool:
    """Queue a message in this transaction; False if the address has had too many.

    A notice is never too many: its owner must hear of what was done in their name.
    Message and job are committed with what they are about, or not at all.
    """
    index = recipient_index(keys, message.channel, message.recipient)
    if not is_notice and not await _has_room(session, message.channel, index, now):
        return False
    content = json.encode(_Content(message.subject, message.text)).decode()
    session.add(
        OutgoingMessageRecord(
            message_id=message_id,
            channel=message.channel.value,
            kind=message.kind,
            recipient=keys.seal(_place("recipient", message_id), message.recipient),
            recipient_i=index,
            content=keys.seal(_place("content", message_id), content),
            created_at=now,
        )
    )
    session.add(
        JobRecord(kind=DELIVER, key=message_id, payload={}, created_at=now, due_at=now)
    )
    return True


def recipient_index(keys: TenantKeys, channel: Channel, recipient: str) -> str:
    """The blind index of an address or a phone."""
    return keys.index(channel, recipient.casefold())


async def messages_to(
    session: AsyncSession, keys: TenantKeys, indexes: Sequence[str], *, limit: int
) -> Sequence[OutgoingMessage]:
    """Messages to these recipients, the oldest first."""
    row = OutgoingMessageRecord
    query = select(row).where(row.recipient_i.in_(indexes)).order_by(row.created_at)
    return [_opened(keys, one) for one in await session.scalars(query.limit(limit))]


async def _has_room(
    session: AsyncSession, channel: Channel, index: str, now: Millis
) -> bool:
    """Whether an address may get another message.

    Messages that are queued at one time on a server may exceed it by their number.
    """
    row = OutgoingMessageRecord
    for count, span in _LIMITS[channel]:
        mine = (row.recipient_i == index, row.created_at > now - span)
        if await _number(session, mine) >= count:
            return False
    if channel is Channel.MAIL:
        return True
    all_of_it = (row.channel == channel.value, row.created_at > now - _DAY_MS)
    return await _number(session, all_of_it) < SMS_OF_SITE_A_DAY


async def _number(session: AsyncSession, which: tuple[ColumnElement[bool], ...]) -> int:
    query = select(func.count()).select_from(OutgoingMessageRecord).where(*which)
    return (await session.execute(query)).scalar_one()


class SqlOutgoingMessages:
    """Implements OutgoingMessages over the records."""

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records = records
        self._ring = ring

    async def find(self, message_id: str) -> OutgoingMessage | None:
        """See OutgoingMessages.find."""
        keys = await self._ring.of()
        async with self._records.reading() as session:
            row = await session.get(OutgoingMessageRecord, message_id)
        return None if row is None else _opened(keys, row)

    async def mark_sent(self, message_id: str, *, now: Millis) -> None:
        """See OutgoingMessages.mark_sent."""
        row = OutgoingMessageRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row).where(row.message_id == message_id).values(sent_at=now)
            )

    async def latest(self, limit: int) -> Sequence[OutgoingMessage]:
        """See OutgoingMessages.latest."""
        keys = await self._ring.of()
        row = OutgoingMessageRecord
        query = select(row).order_by(row.created_at.desc(), row.message_id).limit(limit)
        async with self._records.reading() as session:
            rows = (await session.scalars(query)).all()
        return [_opened(keys, one) for one in rows]


def _opened(keys: TenantKeys, row: OutgoingMessageRecord) -> OutgoingMessage:
    text = keys.open(_place("content", row.message_id), row.content)
    content = json.decode(text, type=_Content)
    message = Message(
        kind=row.kind,
        recipient=keys.open(_place("recipient", row.message_id), row.recipient),
        subject=content.subject,
        text=content.text,
        channel=Channel(row.channel),
    )
    sent = None if row.sent_at is None else Millis(row.sent_at)
    return OutgoingMessage(row.message_id, message, Millis(row.created_at), sent)


def _place(column: str, message_id: str) -> Place:
    return Place("outgoing_message", column, message_id)
