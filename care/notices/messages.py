"""Messages to people, and the port of their delivery."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import Millis

DELIVER: Final = "notices.deliver"
"""The kind of job that delivers a message; its key is the message's id."""
MAILS_AN_HOUR: Final = 3
MAILS_A_DAY: Final = 20
"""Messages to one address that it did not ask for while signed in; more are dropped."""
SMS_A_DAY: Final = 5
SMS_APART_MS: Final = 60_000
"""Messages to one phone: the maximum per day, and the minimum interval."""
SMS_OF_SITE_A_DAY: Final = 2_000
"""Messages to all phones together: more is likelier fraud than patients."""

SECRET_KINDS: Final = frozenset(
    {"verify_email", "reset_password", "change_email", "invitation", "sms_code"}
)
"""Kinds whose text holds a link or a code that opens something."""


class Channel(StrEnum):
    """How a message reaches its recipient."""

    MAIL = "mail"
    SMS = "sms"


class Message(Struct, frozen=True):
    """A message; plain text. ``kind`` says for what, for operators and tests."""

    kind: str
    recipient: str
    subject: str
    text: str
    channel: Channel = Channel.MAIL


class OutgoingMessage(Struct, frozen=True):
    """A message that was queued, as operators of a demo site see it."""

    message_id: str
    message: Message
    created_at: Millis
    sent_at: Millis | None = None


class MessageSender(Protocol):
    """Delivers messages of some channel."""

    async def deliver(self, outgoing: OutgoingMessage) -> None:
        """Deliver a message; repeating it with the same id is safe.

        Raises:
            JobError: not accepted; says when to retry, or that the failure is final.
        """
        ...


class OutgoingMessages(Protocol):
    """Messages that were queued, as their jobs and demo sites read them."""

    async def find(self, message_id: str) -> OutgoingMessage | None:
        """One message; None if there is none. Raises Unavailable."""
        ...

    async def mark_sent(self, message_id: str, *, now: Millis) -> None:
        """Record that it was delivered. Raises Unavailable."""
        ...

    async def latest(self, limit: int) -> Sequence[OutgoingMessage]:
        """The newest ones, newest first. Raises Unavailable."""
        ...
