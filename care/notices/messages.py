"""Messages to people, and the port of their delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from actors.domain.ids import BookingId, Millis, Minute, ProviderId
from care.jobs.jobs import JobError

DELIVER: Final = "notices.deliver"
"""The kind of job that delivers a mail; its key is the message's id. Other channels
have kinds of their own: ``deliver_kind``."""
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
    PUSH = "push"
    """A browser that the person asked to show notices."""


def deliver_kind(channel: Channel) -> str:
    """The kind of job that delivers over a channel.

    One for each, since a worker bounds the jobs of a kind: a channel that is down must
    not fill the batches of another.
    """
    return DELIVER if channel is Channel.MAIL else f"{DELIVER}.{channel.value}"


class Message(Struct, frozen=True):
    """A message. ``kind`` says for what, for operators and tests.

    ``html`` says the same as ``text``. ``calendar`` is a part for calendar programs
    (iTIP), whose method is ``calendar_method``. ``unsubscribe`` is an address that
    takes a POST from the mail program (RFC 8058).
    """

    kind: str
    recipient: str
    subject: str
    text: str
    channel: Channel = Channel.MAIL
    html: str = ""
    calendar: str = ""
    calendar_method: str = ""
    unsubscribe: str = ""


class MessagePlace(Struct, frozen=True, order=True):
    """The place of a message among those to one person over one channel of a visit."""

    version: int
    """The calendar's version that it tells of."""
    is_reminder: bool
    """A reminder comes after what was told of the same version."""
    created_at: Millis


class OtherMessage(Struct, frozen=True):
    """Another message to the same person over the same channel about the same visit.

    ``due_at`` is when its job is due; None if that is done or a dead letter.
    """

    kind: str
    place: MessagePlace
    due_at: Millis | None = None
    attempts: int = 0

    def is_on_its_way(self, now: Millis) -> bool:
        """Whether it is due, or is tried again after an attempt."""
        return self.due_at is not None and (self.due_at <= now or self.attempts > 0)


class MessageAbout(Struct, frozen=True):
    """The visit that a message is about; what must still hold when it goes out."""

    notice_id: str
    provider_id: ProviderId
    booking_id: BookingId
    """Of an offer: the id of its hold."""
    start: Minute
    is_proxy: bool = False
    """Whether it goes to a person who acts for the patient."""
    told_start: Minute | None = None
    """Where the visit is as far as people were told; None if that is not known."""
    place: MessagePlace = MessagePlace(0, is_reminder=False, created_at=Millis(0))
    others: tuple[OtherMessage, ...] = ()
    patient_id: str = ""


class DeliveryStatus(StrEnum):
    """How far a message came. Later ones replace earlier ones, never the reverse."""

    QUEUED = ""
    SENT = "sent"
    """The next server has it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was taken, and could not be delivered."""
    SUPERSEDED = "superseded"
    """Not sent: what it says does not hold any more."""

    @property
    def rank(self) -> int:
        """What may replace what: a greater rank a smaller one."""
        return list(DeliveryStatus).index(self)


class OutgoingMessage(Struct, frozen=True):
    """A message that was queued, as operators of a demo site see it."""

    message_id: str
    message: Message
    created_at: Millis
    sent_at: Millis | None = None
    about: MessageAbout | None = None
    status: DeliveryStatus = DeliveryStatus.QUEUED
    attempted_at: Millis | None = None
    """When an attempt began whose outcome is not known, on channels that keep it."""


class Attempt(Struct, frozen=True):
    """What became of a message; ``reference`` is the service's own id for it."""

    message_id: str
    status: DeliveryStatus
    reference: str = ""


class DeliveryUnknown(JobError):
    """The other side may have taken the message: its answer was lost."""


class MessageSender(Protocol):
    """Delivers messages of some channel."""

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        """Deliver a message; repeating it with the same id is safe.

        Returns the service's own id for it; empty if it has none.

        Raises:
            JobError: not accepted; says when to retry, or that the failure is final.
            DeliveryUnknown: perhaps accepted.
        """
        ...


class OutgoingMessages(Protocol):
    """Messages that were queued, as their jobs and demo sites read them."""

    async def find(self, message_ids: Sequence[str]) -> Mapping[str, OutgoingMessage]:
        """The ones that are there. Raises Unavailable."""
        ...

    async def begin(self, message_ids: Sequence[str], *, now: Millis) -> None:
        """Record that attempts begin whose outcome may be lost. Raises Unavailable."""
        ...

    async def forget_attempt(self, message_id: str) -> None:
        """Record that an attempt surely had no effect. Raises Unavailable."""
        ...

    async def settle(self, attempts: Sequence[Attempt], *, now: Millis) -> None:
        """Record what became of messages; a lesser status changes nothing.

        Raises:
            Unavailable: nothing was recorded.
        """
        ...

    async def latest(self, limit: int) -> Sequence[OutgoingMessage]:
        """The newest ones, newest first. Raises Unavailable.

        Those of one instant are in the order in which a process wrote them.
        """
        ...
