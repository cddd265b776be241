"""Messages that wait to be sent keep their order, on every database."""

from __future__ import annotations

from typing import Final

from actors.domain.ids import Millis
from care.notices.messages import Channel, Message
from persistence.accounts.rows import new_message_id
from persistence.keys.ring import KeyRing
from persistence.notices.composing import Rows
from persistence.notices.models import OutgoingMessageRecord
from persistence.notices.outbox import (
    SqlOutgoingMessages,
    message_row,
    messages_to,
    queue_message,
    recipient_index,
)
from persistence.notices.telling import _insert
from persistence.sql.records import Records
from tests import factories as make

MIRA: Final = "mira@example.org"
SENT: Final = [f"kind_{number}" for number in range(12)]
"""Drawn at random, twelve ids are in this order once in 479 million times."""


async def test_messages_of_one_instant_are_in_the_order_of_writing(
    records: Records, ring: KeyRing
) -> None:
    """Some share a transaction, some have their own, some are rows of a batch; their
    ids are random. Of another instant all come before or behind."""
    keys = await ring.of()

    def about(kind: str) -> Message:
        return Message(kind, MIRA, "a subject", "a text")

    for first in (0, 4):
        async with records.writing() as session:
            for kind in SENT[first : first + 4]:
                message_id = new_message_id()
                assert await queue_message(
                    session, keys, message_id, about(kind), make.NOW, is_notice=True
                )
    batch = [
        message_row(keys, new_message_id(), about(kind), make.NOW) for kind in SENT[8:]
    ]
    async with records.writing() as session:
        await _insert(session, Rows(messages=batch))
        earlier = message_row(keys, "msg_a", about("earlier"), Millis(make.NOW - 1))
        session.add(OutgoingMessageRecord(**earlier))
    outgoing = SqlOutgoingMessages(records, ring)
    newest = [one.message.kind for one in await outgoing.latest(20)]
    assert newest == [*reversed(SENT), "earlier"]
    async with records.reading() as session:
        index = recipient_index(keys, Channel.MAIL, MIRA)
        mine = await messages_to(session, keys, [index], limit=20)
    assert [one.message.kind for one in mine] == ["earlier", *SENT]
