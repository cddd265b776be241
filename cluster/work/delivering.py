"""The job that delivers messages to people, and its channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Final

import httpcore

from actors.domain.ids import HoldId, Millis
from actors.errors import Unavailable
from actors.ports import Clock
from care.jobs.jobs import Job, JobError
from care.jobs.ports import Handler
from care.notices.kinds import NoticeKind
from care.notices.messages import (
    Attempt,
    Channel,
    DeliveryStatus,
    DeliveryUnknown,
    MessageAbout,
    MessageSender,
    OutgoingMessage,
    OutgoingMessages,
    deliver_kind,
)
from care.notices.ports import Visits
from care.notices.push import PushSubscriptions, RecipientGone
from care.notices.turns import MessageTurn, turn_of
from care.notices.visits import MINUTE_MS, may_hold_again, still_holds
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from cluster.work.gathering import Gathered
from persistence.notices.folder import FolderCourier
from persistence.notices.push.courier import PushCourier
from persistence.notices.push.fcm import (
    FcmSender,
    ServiceAccountWrong,
    service_account,
)
from persistence.notices.push.vapid import Vapid, vapid_key
from persistence.notices.smtp import SmtpCourier
from persistence.notices.twilio import TwilioCourier

PATIENCE_MS: Final = 2 * 24 * 3_600_000
"""How long a message is tried while its channel is away; not beyond the visit that it
is about."""
AWAIT_MS: Final = 60_000
"""How long an attempt of unknown outcome waits for a call-back before it is repeated:
the service may have taken the message."""
TURN_MS: Final = 1_000
"""How long a message waits for an earlier one of its visit, or for what is told next,
before it is looked at again."""
KEEPS_ATTEMPTS: Final = frozenset({Channel.SMS})
"""Channels that cannot tell a repeated message from another one."""


class Deliverer:
    """Delivers messages by their channels' senders, and records what became of them."""

    def __init__(
        self,
        outgoing: OutgoingMessages,
        couriers: Mapping[Channel, MessageSender],
        clock: Clock,
        visits: Visits | None = None,
    ) -> None:
        """Without ``visits`` no calendar is asked whether a message still holds."""
        self._outgoing = outgoing
        self._couriers = couriers
        self._clock = clock
        self._visits = visits
        self._find = Gathered(self._find_all)
        self._settle = Gathered(self._settle_all)
        self._begin = Gathered(self._begin_all)

    async def deliver(self, job: Job) -> None:
        """Run the job of a message: it is sent, or found to be sent or superseded."""
        try:
            await self._deliver(job)
        except Unavailable:
            raise JobError(
                "a store or a calendar does not answer", until=_until(job, None)
            ) from None

    async def _deliver(self, job: Job) -> None:
        found = await self._find(job.key)
        if found is None or found.sent_at is not None or found.status.rank:
            return
        channel = found.message.channel
        courier = self._couriers.get(channel)
        if courier is None:
            raise JobError(f"this site sends no {channel.value}", final=True)
        if not await self._holds(job, found):
            await self._settle(Attempt(job.key, DeliveryStatus.SUPERSEDED))
            return
        await self._settle(await self._attempt(courier, job, found))

    async def _attempt(
        self, courier: MessageSender, job: Job, found: OutgoingMessage
    ) -> Attempt:
        """Hand a message to its channel. Raises JobError."""
        keeps = found.message.channel in KEEPS_ATTEMPTS
        if keeps:
            await self._begin_attempt(found)
        try:
            reference = await courier.deliver(found)
        except DeliveryUnknown as error:
            raise _later(error, job, found) from None
        except RecipientGone:
            return Attempt(job.key, DeliveryStatus.FAILED)
        except JobError as error:
            if keeps:
                await self._outgoing.forget_attempt(job.key)
            raise _later(error, job, found) from None
        return Attempt(job.key, DeliveryStatus.SENT, reference)

    async def _holds(self, job: Job, found: OutgoingMessage) -> bool:
        """Whether what a message says is still so; the calendar is asked.

        Raises JobError: it is not yet its turn.
        """
        about, now = found.about, self._clock.now()
        if about is None or self._visits is None:
            return True
        kind = NoticeKind(found.message.kind)
        is_over = kind is NoticeKind.CANCELLED  # which holds for ever
        if not is_over and now >= about.start * MINUTE_MS:
            return False
        turn = turn_of(kind, about.place, about.others, now)
        if turn is MessageTurn.OVERTAKEN or not await self._calendar_agrees(
            job, found, about
        ):
            return False
        if turn is MessageTurn.WAIT:
            raise _wait("an earlier message is on its way", job, found)
        return True

    async def _calendar_agrees(
        self, job: Job, found: OutgoingMessage, about: MessageAbout
    ) -> bool:
        """Whether the visit is as the message says, and open to its recipient.

        Raises JobError: that is not settled yet.
        """
        kind = NoticeKind(found.message.kind)
        if self._visits is None or (
            kind is NoticeKind.CANCELLED and not about.is_proxy
        ):
            return True
        if kind is NoticeKind.FIRST_COME:
            return True  # it says that the slot may be taken by now
        if kind is NoticeKind.OFFER:
            hold_id = HoldId(about.booking_id)
            hold = await self._visits.offered(about.provider_id, hold_id)
            return hold is not None and hold.patient_id == about.patient_id
        view = await self._visits.find(about.provider_id, about.booking_id)
        if about.is_proxy and view is not None and view.confidential:
            return False
        if still_holds(kind, about.start, view):
            return True
        if may_hold_again(about.start, about.told_start, view):
            raise _wait("the visit moved, and nothing is told yet", job, found)
        return False

    async def _begin_attempt(self, found: OutgoingMessage) -> None:
        """Record that an attempt begins. Raises JobError: one may have succeeded."""
        now = self._clock.now()
        if found.attempted_at is not None:
            wait = found.attempted_at + AWAIT_MS - now
            if wait > 0:
                raise JobError("waits for a call-back", after_ms=wait)
        await self._begin(found.message_id)

    async def _find_all(self, ids: Sequence[str]) -> list[OutgoingMessage | None]:
        found = await self._outgoing.find(ids)
        return [found.get(one) for one in ids]

    async def _settle_all(self, attempts: Sequence[Attempt]) -> list[None]:
        await self._outgoing.settle(attempts, now=self._clock.now())
        return [None] * len(attempts)

    async def _begin_all(self, ids: Sequence[str]) -> list[None]:
        await self._outgoing.begin(ids, now=self._clock.now())
        return [None] * len(ids)


def message_handlers(deliverer: Deliverer) -> Mapping[str, Handler]:
    """Handlers of jobs that deliver messages, one kind for each channel."""
    return {deliver_kind(channel): deliverer.deliver for channel in Channel}


def _until(job: Job, found: OutgoingMessage | None) -> Millis:
    """Until when a message is tried."""
    patient = job.created_at + PATIENCE_MS
    if found is None or found.about is None:
        return Millis(patient)
    return Millis(min(patient, found.about.start * MINUTE_MS))


def _later(error: JobError, job: Job, found: OutgoingMessage) -> JobError:
    """The same failure, tried as long as the message is of use."""
    was = error.outcome
    return JobError(
        was.reason, after_ms=was.after_ms, final=was.final, until=_until(job, found)
    )


def _wait(reason: str, job: Job, found: OutgoingMessage) -> JobError:
    """It is not yet the message's turn."""
    return JobError(reason, after_ms=TURN_MS, until=_until(job, found))


def couriers_of(
    site: Site,
    subscriptions: PushSubscriptions,
    pool: httpcore.AsyncConnectionPool,
    clock: Clock,
) -> Mapping[Channel, MessageSender]:
    """The sender of each channel.

    Without a mail server, or a service for phones, theirs go into a folder.
    ``pool``: the connections to push services.
    """
    settings = site.settings
    folder = FolderCourier(site.folder.path / "outgoing")
    mail: MessageSender = folder
    sms: MessageSender = folder
    if settings.mail:
        mail = SmtpCourier(settings.mail, settings.mail_from)
    if settings.sms:
        callbacks = f"{settings.public_url}/v1/webhooks/sms"
        sms = TwilioCourier(
            settings.sms,
            settings.sms_from,
            callbacks if settings.public_url.startswith("https://") else "",
        )
    contact = parseaddr(settings.mail_from)[1]
    push = PushCourier(
        subscriptions,
        Vapid(vapid_key(site.vapid_secret()), f"mailto:{contact}"),
        pool,
        clock,
        devices=fcm_of(site, subscriptions, pool, clock),
        is_open=settings.push_anywhere,
    )
    return {Channel.MAIL: mail, Channel.SMS: sms, Channel.PUSH: push}


def fcm_of(
    site: Site,
    subscriptions: PushSubscriptions,
    pool: httpcore.AsyncConnectionPool,
    clock: Clock,
) -> FcmSender | None:
    """How apps on phones are reached; None if they are not.

    Raises:
        Obstacle: the key cannot be used.
    """
    path = site.settings.fcm
    if path is None:
        return None
    try:
        account = service_account(path)
    except ServiceAccountWrong as error:
        raise Obstacle(
            f"SLOTCAST_FCM names {path}, which cannot be used: {error}.",
            "Make a key for a service account in the console of Firebase, and let only "
            f"this user read its file: chmod 600 {path}",
        ) from None
    return FcmSender(account, subscriptions, pool, clock)
