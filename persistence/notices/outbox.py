"""Messages in SQL: queued with what they are about, delivered by a job."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from msgspec import Struct, json
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import Millis
from care.keys.sealing import Place
from care.notices.messages import (
    MAILS_A_DAY,
    MAILS_AN_HOUR,
    SMS_A_DAY,
    SMS_APART_MS,
    SMS_OF_SITE_A_DAY,
    Attempt,
    Channel,
    DeliveryStatus,
    Message,
    MessageAbout,
    OutgoingMessage,
    deliver_kind,
)
from persistence.jobs.models import JobRecord
from persistence.keys.ring import KeyRing, TenantKeys
from persistence.notices.beside import about_of, beside_of
from persistence.notices.models import OutgoingMessageRecord
from persistence.sql.records import Records
from persistence.sql.statements import portions

REFERENCE_CHARACTERS_MAX: Final = 128
_TABLE = cast(Table, OutgoingMessageRecord.__table__)
_written = itertools.count(1)
"""Ids are random: of the messages of one instant only this tells the first."""
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LIMITS = {
    Channel.MAIL: ((MAILS_AN_HOUR, _HOUR_MS), (MAILS_A_DAY, _DAY_MS)),
    Channel.SMS: ((1, SMS_APART_MS), (SMS_A_DAY, _DAY_MS)),
}
"""How many messages to one address in how many milliseconds."""


class _Content(Struct, frozen=True, omit_defaults=True):
    subject: str
    text: str
    html: str = ""
    calendar: str = ""
    calendar_method: str = ""
    unsubscribe: str = ""


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
    session.add(OutgoingMessageRecord(**message_row(keys, message_id, message, now)))
    kind = deliver_kind(message.channel)
    session.add(
        JobRecord(kind=kind, key=message_id, payload={}, created_at=now, due_at=now)
    )
    return True


def recipient_index(keys: TenantKeys, channel: Channel, recipient: str) -> str:
    """The blind index of an address or a phone."""
    return keys.index(channel, recipient.casefold())


async def messages_to(
    session: AsyncSession, keys: TenantKeys, indexes: Sequence[str], *, limit: int
) -> Sequence[OutgoingMessage]:
    """Messages to these recipients, in the order in which they were written."""
    row = OutgoingMessageRecord
    oldest = row.created_at, row.number, row.message_id
    query = select(row).where(row.recipient_i.in_(indexes)).order_by(*oldest)
    return [_opened(keys, one) for one in await session.scalars(query.limit(limit))]


def message_row(
    keys: TenantKeys, message_id: str, message: Message, now: Millis
) -> dict[str, Any]:
    """The columns of a message, sealed."""
    content = _Content(
        message.subject,
        message.text,
        message.html,
        message.calendar,
        message.calendar_method,
        message.unsubscribe,
    )
    text = json.encode(content).decode()
    return {
        "message_id": message_id,
        "channel": message.channel.value,
        "kind": message.kind,
        "recipient": keys.seal(_place("recipient", message_id), message.recipient),
        "recipient_i": recipient_index(keys, message.channel, message.recipient),
        "content": keys.seal(_place("content", message_id), text),
        "created_at": now,
        "number": next(_written),
    }


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

    async def find(self, message_ids: Sequence[str]) -> Mapping[str, OutgoingMessage]:
        """See OutgoingMessages.find."""
        keys, row = await self._ring.of(), OutgoingMessageRecord
        found = {}
        async with self._records.reading() as session:
            for part in portions(message_ids):
                query = select(_TABLE).where(row.message_id.in_(part))
                rows = (await session.execute(query)).all()
                beside = await beside_of(session, rows)
                for one in rows:
                    about = beside.get(one.message_id)
                    found[one.message_id] = _opened(keys, one, about)
        return found

    async def begin(self, message_ids: Sequence[str], *, now: Millis) -> None:
        """See OutgoingMessages.begin."""
        row = OutgoingMessageRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(row.message_id.in_(message_ids))
                .values(attempted_at=now)
            )

    async def forget_attempt(self, message_id: str) -> None:
        """See OutgoingMessages.forget_attempt."""
        row = OutgoingMessageRecord
        async with self._records.writing() as session:
            await session.execute(
                update(row)
                .where(row.message_id == message_id)
                .values(attempted_at=None)
            )

    async def settle(self, attempts: Sequence[Attempt], *, now: Millis) -> None:
        """See OutgoingMessages.settle."""
        groups: dict[tuple[DeliveryStatus, str], list[str]] = defaultdict(list)
        for one in attempts:
            groups[one.status, one.reference].append(one.message_id)
        row = OutgoingMessageRecord
        async with self._records.writing() as session:
            for (status, reference), ids in groups.items():
                lesser = [one.value for one in DeliveryStatus if one.rank < status.rank]
                values: dict[str, Any] = {"status": status.value, "status_at": now}
                if status is not DeliveryStatus.SUPERSEDED:
                    values["sent_at"] = func.coalesce(row.sent_at, now)
                if reference:
                    values["reference"] = reference[:REFERENCE_CHARACTERS_MAX]
                await session.execute(
                    update(row)
                    .where(row.message_id.in_(ids), row.status.in_(lesser))
                    .values(values)
                )

    async def latest(self, limit: int) -> Sequence[OutgoingMessage]:
        """See OutgoingMessages.latest."""
        keys = await self._ring.of()
        row = OutgoingMessageRecord
        newest = row.created_at.desc(), row.number.desc(), row.message_id
        query = select(_TABLE).order_by(*newest).limit(limit)
        async with self._records.reading() as session:
            rows = (await session.execute(query)).all()
        return [_opened(keys, one) for one in rows]


def _opened(
    keys: TenantKeys, row: Any, about: MessageAbout | None = None
) -> OutgoingMessage:
    text = keys.open(_place("content", row.message_id), row.content)
    content = json.decode(text, type=_Content)
    message = Message(
        kind=row.kind,
        recipient=keys.open(_place("recipient", row.message_id), row.recipient),
        channel=Channel(row.channel),
        **asdict(content),
    )
    return OutgoingMessage(
        row.message_id,
        message,
        Millis(row.created_at),
        None if row.sent_at is None else Millis(row.sent_at),
        about or about_of(row),
        DeliveryStatus(row.status),
        None if row.attempted_at is None else Millis(row.attempted_at),
    )


def _place(column: str, message_id: str) -> Place:
    return Place("outgoing_message", column, message_id)
